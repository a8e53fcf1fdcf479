using TrustixProxy.Logs.Watching;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Two entries of a mirrored log with the same key. A map keeps the first value of a key, so an honest log has no second
/// entry.</summary>
/// <param name="First">Number of the first entry.</param>
/// <param name="Again">Number of the later entry.</param>
internal sealed record RepeatedEntry(long First, long Again)
{
    private const string Remedy =
        "a log that repeats a key is not mirrored. Ask its operator, set the log's mode to light, or remove the log.";

    /// <summary>Freezes the log when the two entries differ and it reveals the key. Returns why the log is not followed.</summary>
    public async Task<string> RefuseAsync(WatchedLog log, MirrorStore store, VerifiedTreeHead head, CancellationToken cancellation)
    {
        var (first, again) = (store.Writer.ValueDigest(First), store.Writer.ValueDigest(Again));
        if (first != again && await FindKeyAsync(log, store, cancellation) is { } key)
        {
            var fault = new LogFault.RepeatedKey(head, key, LeafOf(store, First, first, head), LeafOf(store, Again, again, head));
            if (fault.IsShown)
            {
                log.Freeze(fault, log.Source);
            }
        }

        var difference = first == again ? "the same value" : "another value";
        return $"entry {Again} has the key of entry {First} and {difference}: {Remedy}";
    }

    private static LogFault.KeyedLeaf LeafOf(MirrorStore store, long number, Digest valueDigest, VerifiedTreeHead head) =>
        new(number, valueDigest, [.. MerkleTree.InclusionProof(number, head.Content.TreeSize, store.Writer.Subtree)]);

    /// <summary>Asks the log for the key, which the mirror does not store; null when the log does not give it.</summary>
    private async Task<byte[]?> FindKeyAsync(WatchedLog log, MirrorStore store, CancellationToken cancellation)
    {
        var path = store.Writer.PathOf(Again);
        var entries = await log.Client.GetEntriesAsync(Again, 1, cancellation);
        return entries.Message is { Leaves: [var leaf] } && Digest.Of(leaf.Key.Span) == path ? leaf.Key.ToByteArray() : null;
    }
}
