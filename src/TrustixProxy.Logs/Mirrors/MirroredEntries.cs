using TrustixProxy.Logs.Client;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>The entries of one mirrored log: fetches them in order, and keeps none that was not shown to be under the log's
/// signature.</summary>
internal sealed class MirroredEntries(LogClient client, MirrorStore store)
{
    private const int MostTogether = 1000;

    /// <summary>How many fetches are kept at once: a transaction costs the same for many entries as for few.</summary>
    private const int WrittenTogether = 8;

    private readonly Digest[] _peaks = new Digest[64];
    private int _together = MostTogether;

    /// <summary>How many entries are kept.</summary>
    public long Size { get; private set; }

    /// <summary>Goes on from what is kept, be it that another process has kept it; gives how many entries that is.</summary>
    public long Begin()
    {
        Size = store.Writer.Size;
        for (var level = 0; level < _peaks.Length; level++)
        {
            if ((Size >> level & 1) is 1)
            {
                _peaks[level] = store.Writer.Subtree(level, (Size >> level) - 1);
            }
        }

        return Size;
    }

    /// <summary>Fetches and keeps some entries more; gives the failure, or null.</summary>
    public async Task<string?> FetchAsync(VerifiedTreeHead head, CancellationToken cancellation)
    {
        var (kept, batch) = (Size, new Batch(Size, [.. _peaks]));
        string? failure = null;
        var next = AskAsync(batch.Size, head, cancellation);
        for (var fetches = 0; fetches < WrittenTogether && failure is null && batch.Size < head.Content.TreeSize; fetches++)
        {
            var (entries, proof) = await next;
            var size = batch.Size + (entries.Message?.Leaves.Count ?? 0);
            // under way while this part is hashed
            next = size < head.Content.TreeSize && fetches + 1 < WrittenTogether ? AskAsync(size, head, cancellation) : next;
            failure = batch.Size == size ? Complain(entries) : TakeIn(ref batch, entries.Message!, proof, head);
        }

        if (batch.Size > kept)
        {
            if (!store.Write(() => Keep(batch, kept)))
            {
                Begin();
                return null;
            }

            Size = batch.Size;
            batch.Peaks.CopyTo(_peaks, 0);
            return null;
        }

        return failure;
    }

    private async Task<(CallResult<LogEntriesResponse> Entries, Digest[] Proof)> AskAsync(
        long from, VerifiedTreeHead head, CancellationToken cancellation)
    {
        var count = (int)Math.Min(_together, head.Content.TreeSize - from);
        var entries = client.GetEntriesAsync(from, count, cancellation);
        if (from + count == head.Content.TreeSize)
        {
            return (await entries, []);
        }

        var proof = await client.GetConsistencyProofAsync(from + count, head.Content.TreeSize, cancellation);
        return (await entries, proof.Message is not null && WireMessage.TryReadNodes(proof.Message, out var nodes) ? nodes : []);
    }

    /// <summary>A log that does not give so many at once is asked for fewer the next time.</summary>
    private string Complain(CallResult<LogEntriesResponse> entries)
    {
        _together = Math.Max(1, _together / 2);
        return $"its entries from {Size} on could not be had ({entries.Error ?? entries.Failure.ToString()})";
    }

    /// <summary>Hashes the entries; they are taken only if with them the log's root is that of a prefix of the head's log.</summary>
    private string? TakeIn(ref Batch batch, LogEntriesResponse entries, Digest[] proof, VerifiedTreeHead head)
    {
        var next = batch.Copy();
        foreach (var leaf in entries.Leaves)
        {
            if (!Digest.TryRead(leaf.ValueDigest.Span, out var valueDigest))
            {
                return $"entry {next.Size} has no value digest: a log whose entries are not given whole cannot be mirrored";
            }

            next.Add(new MirrorLeaf(Digest.Of(leaf.Key.Span), valueDigest, MerkleHash.LogLeaf(leaf.Key.Span, valueDigest),
                StorePath.DigestOfKey(leaf.Key.Span)));
        }

        if (!ConsistencyProof.TryVerify(next.Size, head.Content.TreeSize, next.Root(), head.Content.LogRoot, proof, out var error))
        {
            return $"entries {batch.Size} to {next.Size - 1} are not those under its signed head ({error})";
        }

        batch = next;
        _together = Math.Min(MostTogether, _together * 2);
        return null;
    }

    private bool Keep(Batch batch, long from)
    {
        if (store.Writer.Size != from)
        {
            return false; // another process follows the log into the same file: what it has kept is gone on from
        }

        foreach (var leaf in batch.Leaves)
        {
            store.AddLeaf(from++, leaf);
        }

        foreach (var (level, index, hash) in batch.Nodes)
        {
            store.AddNode(level, index, hash);
        }

        return true;
    }

    /// <summary>Entries that were verified and are to be kept, with the right edge of the log after them.</summary>
    private sealed record Batch(long Start, Digest[] Peaks)
    {
        public List<MirrorLeaf> Leaves { get; private init; } = [];

        public List<(int Level, long Index, Digest Hash)> Nodes { get; private init; } = [];

        public long Size => Start + Leaves.Count;

        public Batch Copy() => this with { Peaks = [.. Peaks], Leaves = [.. Leaves], Nodes = [.. Nodes] };

        public void Add(MirrorLeaf leaf)
        {
            var peak = (Level: 0, Hash: leaf.Hash);
            MerkleTree.Append(Size, leaf.Hash, (level, _) => Peaks[level], (level, index, hash) =>
            {
                peak = (level, hash);
                if (level > 0 && level % MirrorStore.NodeLevels is 0)
                {
                    Nodes.Add((level, index, hash));
                }
            });
            Peaks[peak.Level] = peak.Hash; // the full subtrees below it are no longer at the edge
            Leaves.Add(leaf);
        }

        public Digest Root() => MerkleTree.Root(Size, (level, _) => Peaks[level]);
    }
}
