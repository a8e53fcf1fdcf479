namespace TrustixProxy.TransparencyLog;

/// <summary>A log's contradiction of itself, proven by its own signatures alone: it freezes the log.</summary>
public abstract record LogFault
{
    private LogFault()
    {
    }

    /// <summary>The kind of fault, in one word.</summary>
    public abstract string Kind { get; }

    /// <summary>The heads it rests on: one or two, of one log.</summary>
    public abstract IReadOnlyList<VerifiedTreeHead> Heads { get; }

    /// <summary>Whether the fault is proven; checks everything again.</summary>
    public bool IsShown => Heads.All(head => head.Key == Heads[0].Key) && Check();

    /// <summary>Checks everything except the heads' signatures.</summary>
    protected abstract bool Check();

    /// <summary>Two signed heads of one size with different contents.</summary>
    /// <param name="First">The known head.</param>
    /// <param name="Second">The contradicting head.</param>
    public sealed record SplitView(VerifiedTreeHead First, VerifiedTreeHead Second) : LogFault
    {
        /// <inheritdoc/>
        public override string Kind => "split-view";

        /// <inheritdoc/>
        public override IReadOnlyList<VerifiedTreeHead> Heads => [First, Second];

        /// <inheritdoc/>
        protected override bool Check() => First.Content.TreeSize == Second.Content.TreeSize && First.Content != Second.Content;
    }

    /// <summary>A signed older head whose root differs from the one that a valid consistency proof to a signed newer head yields.</summary>
    /// <param name="Older">The older head.</param>
    /// <param name="Newer">The head that does not continue it.</param>
    /// <param name="Proof">A proof that yields the newer root, and an older root other than the older head's. If the older size is a power
    /// of two, it starts one leaf later: see <see cref="ConsistencyProof.TryFindPrefix"/>.</param>
    /// <param name="IsMapHeadLog">Whether the map-head log was rewritten, rather than the log.</param>
    public sealed record RewrittenPast(VerifiedTreeHead Older, VerifiedTreeHead Newer, IReadOnlyList<Digest> Proof, bool IsMapHeadLog)
        : LogFault
    {
        /// <inheritdoc/>
        public override string Kind => IsMapHeadLog ? "rewritten-map-heads" : "rewritten-log";

        /// <inheritdoc/>
        public override IReadOnlyList<VerifiedTreeHead> Heads => [Older, Newer];

        /// <inheritdoc/>
        protected override bool Check()
        {
            var (older, olderRoot) = IsMapHeadLog
                ? (Older.Content.MapHeadSize, Older.Content.MapHeadRoot)
                : (Older.Content.TreeSize, Older.Content.LogRoot);
            var (newer, newerRoot) = IsMapHeadLog
                ? (Newer.Content.MapHeadSize, Newer.Content.MapHeadRoot)
                : (Newer.Content.TreeSize, Newer.Content.LogRoot);
            return (!ConsistencyProof.TryVerify(older, newer, olderRoot, newerRoot, [.. Proof], out var error)
                && error is ProofError.OlderRoot)
                || (ConsistencyProof.TryFindPrefix(older, newer, newerRoot, [.. Proof], out var prefixRoot) && prefixRoot != olderRoot);
        }
    }

    /// <summary>A map entry that names a leaf with other contents, both proven under one head.</summary>
    /// <param name="Entry">The map's entry.</param>
    /// <param name="Leaf">Hash of the log's leaf at the entry's index.</param>
    /// <param name="Inclusion">The proof of that leaf.</param>
    public sealed record MapContradiction(ProvenEntry Entry, Digest Leaf, IReadOnlyList<Digest> Inclusion) : LogFault
    {
        /// <inheritdoc/>
        public override string Kind => "map-contradiction";

        /// <inheritdoc/>
        public override IReadOnlyList<VerifiedTreeHead> Heads => [Entry.Head];

        /// <inheritdoc/>
        protected override bool Check() =>
            Entry.Verify() is { Entry: { } entry }
            && Leaf != MerkleHash.LogLeaf(Entry.Key.Span, entry.ValueDigest)
            && InclusionProof.TryVerify(entry.Index, Entry.Head.Content.TreeSize, Leaf, [.. Inclusion], Entry.Head.Content.LogRoot, out _);
    }

    /// <summary>Two leaves with one key and different values, under one head: a log must accept only one value per key.</summary>
    /// <param name="Head">The head.</param>
    /// <param name="Key">The key.</param>
    /// <param name="First">The earlier leaf.</param>
    /// <param name="Second">The later leaf.</param>
    public sealed record RepeatedKey(VerifiedTreeHead Head, ReadOnlyMemory<byte> Key, KeyedLeaf First, KeyedLeaf Second) : LogFault
    {
        /// <inheritdoc/>
        public override string Kind => "repeated-key";

        /// <inheritdoc/>
        public override IReadOnlyList<VerifiedTreeHead> Heads => [Head];

        /// <inheritdoc/>
        protected override bool Check() =>
            First.Index < Second.Index && First.ValueDigest != Second.ValueDigest && IsIncluded(First) && IsIncluded(Second);

        private bool IsIncluded(KeyedLeaf leaf) => InclusionProof.TryVerify(
            leaf.Index, Head.Content.TreeSize, MerkleHash.LogLeaf(Key.Span, leaf.ValueDigest), [.. leaf.Inclusion], Head.Content.LogRoot,
                out _);
    }

    /// <summary>A leaf of a log whose key is known.</summary>
    /// <param name="Index">Index of the leaf, from 0.</param>
    /// <param name="ValueDigest">SHA-256 of its value.</param>
    /// <param name="Inclusion">The proof of the leaf.</param>
    public sealed record KeyedLeaf(long Index, Digest ValueDigest, IReadOnlyList<Digest> Inclusion);

    /// <summary>Two different entries for one key: a map must keep its entries.</summary>
    /// <param name="First">The entry proven first.</param>
    /// <param name="Second">The entry proven later.</param>
    public sealed record TwoEntries(ProvenEntry First, ProvenEntry Second) : LogFault
    {
        /// <inheritdoc/>
        public override string Kind => "two-entries";

        /// <inheritdoc/>
        public override IReadOnlyList<VerifiedTreeHead> Heads => [First.Head, Second.Head];

        /// <inheritdoc/>
        protected override bool Check() =>
            First.Key.Span.SequenceEqual(Second.Key.Span)
            && First.Verify() is { Entry: { } first } && Second.Verify() is { Entry: { } second } && first != second;
    }
}

/// <summary>A map's answer for a key with its proof, kept as evidence and verified on each use.</summary>
/// <param name="Head">The head, whose signature was verified.</param>
/// <param name="Key">The key.</param>
/// <param name="Map">The log's answer.</param>
public sealed record ProvenEntry(VerifiedTreeHead Head, ReadOnlyMemory<byte> Key, Wire.MapValueResponse Map)
{
    /// <summary>Verifies the proof; null when it proves nothing.</summary>
    public ProvenDigest? Verify() =>
        MapProof.TryRead(Map.Proof, out var proof, out _) && proof.TryVerify(Head, Key.Span, Map.Value.Span, out var proven, out _) ? proven
            : null;
}
