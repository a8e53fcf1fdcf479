using TrustixProxy.Logs.Client;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Fetches the entries of one mirrored log in order. Keeps only entries proven to be under the log's signature.</summary>
internal sealed class MirroredEntries(LogClient client, MirrorStore store)
{
    private const int MostTogether = 1000;

    /// <summary>Number of fetches written in one transaction: a transaction costs about the same for many entries as for few.</summary>
    private const int WrittenTogether = 8;

    private readonly Digest[] _peaks = new Digest[64];
    private int _together = MostTogether;

    /// <summary>Number of stored entries.</summary>
    public long Size { get; private set; }

    /// <summary>Resumes after the stored entries, including those that another process stored; returns their number.</summary>
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

    /// <summary>Fetches and stores the next entries; returns the failure, or null on success.</summary>
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

    /// <summary>Describes a failed fetch; the next one asks for fewer entries when the log gives fewer at once.</summary>
    private string Complain(CallResult<LogEntriesResponse> entries)
    {
        _together = Math.Max(1, _together / 2);
        return $"its entries from {Size} on could not be fetched ({entries.Error ?? entries.Failure.ToString()})";
    }

    /// <summary>Hashes the entries. Accepts them only if the log's root with them is that of a prefix of the head's log.</summary>
    private string? TakeIn(ref Batch batch, LogEntriesResponse entries, Digest[] proof, VerifiedTreeHead head)
    {
        var next = batch.Copy();
        foreach (var leaf in entries.Leaves)
        {
            if (!Digest.TryRead(leaf.ValueDigest.Span, out var valueDigest))
            {
                return $"entry {next.Size} has no value digest: a log with incomplete entries cannot be mirrored";
            }

            next.Add(new MirrorLeaf(Digest.Of(leaf.Key.Span), valueDigest, MerkleHash.LogLeaf(leaf.Key.Span, valueDigest),
                StorePath.DigestOfKey(leaf.Key.Span)));
        }

        if (!ConsistencyProof.TryVerify(next.Size, head.Content.TreeSize, next.Root(), head.Content.LogRoot, proof, out var error))
        {
            return $"entries {batch.Size} to {next.Size - 1} do not match its signed head ({error})";
        }

        batch = next;
        _together = Math.Min(MostTogether, _together * 2);
        return null;
    }

    private bool Keep(Batch batch, long from)
    {
        if (store.Writer.Size != from)
        {
            return false; // another process follows the log into this file: continue after what it stored
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

    /// <summary>Verified entries to be written, with the log's right edge after them.</summary>
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
            Peaks[peak.Level] = peak.Hash; // full subtrees below it leave the edge
            Leaves.Add(leaf);
        }

        public Digest Root() => MerkleTree.Root(Size, (level, _) => Peaks[level]);
    }
}
