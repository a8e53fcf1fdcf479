namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Where the writer is: between any two of these the process may die, and nothing that was acknowledged may be lost.</summary>
internal enum WritePhase
{
    /// <summary>Items are on the queue, and the transaction is open.</summary>
    Enqueue,

    /// <summary>The queue is durable, and nobody has been told.</summary>
    Enqueued,

    /// <summary>Entries, their hashes and the map's pages are written, and the transaction is open.</summary>
    Append,

    /// <summary>The head is signed and written, and the transaction is open.</summary>
    Sign,

    /// <summary>The head is durable, and nobody has seen it.</summary>
    Committed,

    /// <summary>Old pages are deleted, and the transaction is open.</summary>
    Reclaim,
}
