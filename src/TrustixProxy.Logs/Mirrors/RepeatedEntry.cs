using TrustixProxy.Logs.Watching;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Two entries of a mirrored log that have one key. A log's map keeps the first value of a key, so no honest log has a second
/// entry for it.</summary>
/// <param name="First">The number of the first one.</param>
/// <param name="Again">The number of the later one.</param>
internal sealed record RepeatedEntry(long First, long Again)
{
    private const string Remedy =
        "a log that repeats a key is not mirrored. Ask its operator, or set the log's mode to light, or take the log out.";

    /// <summary>Freezes the log when the two entries differ and it gives the key; says why the log is not followed in any case.</summary>
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

    /// <summary>The key, which the mirror does not keep; null when the log does not give it.</summary>
    private async Task<byte[]?> FindKeyAsync(WatchedLog log, MirrorStore store, CancellationToken cancellation)
    {
        var path = store.Writer.PathOf(Again);
        var entries = await log.Client.GetEntriesAsync(Again, 1, cancellation);
        return entries.Message is { Leaves: [var leaf] } && Digest.Of(leaf.Key.Span) == path ? leaf.Key.ToByteArray() : null;
    }
}
