namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The writer's phase. The process may die between any two, and nothing acknowledged may be lost.</summary>
internal enum WritePhase
{
    /// <summary>Items are queued; the transaction is open.</summary>
    Enqueue,

    /// <summary>The queue is durable; no caller was answered yet.</summary>
    Enqueued,

    /// <summary>Entries, their hashes and the map's pages are written; the transaction is open.</summary>
    Append,

    /// <summary>The head is signed and written; the transaction is open.</summary>
    Sign,

    /// <summary>The head is durable, but not yet visible.</summary>
    Committed,

    /// <summary>A head's cosignatures are written; the transaction is open.</summary>
    Cosign,

    /// <summary>Old versions of the map are dropped, or their pages deleted; the transaction is open.</summary>
    Reclaim,
}
