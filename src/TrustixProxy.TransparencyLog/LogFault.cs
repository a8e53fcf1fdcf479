namespace TrustixProxy.TransparencyLog;

/// <summary>A log's contradiction of itself, shown by its own signatures alone: it freezes the log.</summary>
public abstract record LogFault
{
    private LogFault()
    {
    }

    /// <summary>What is wrong, in one word.</summary>
    public abstract string Kind { get; }

    /// <summary>The heads that it rests on: one or two, of one log.</summary>
    public abstract IReadOnlyList<VerifiedTreeHead> Heads { get; }

    /// <summary>Whether it is shown indeed: everything is checked again.</summary>
    public bool IsShown => Heads.All(head => head.Key == Heads[0].Key) && Check();

    /// <summary>Checks all but the heads' signatures.</summary>
    protected abstract bool Check();

    /// <summary>Two signed heads of one size with different contents.</summary>
    /// <param name="First">The head that was known.</param>
    /// <param name="Second">The head that contradicts it.</param>
    public sealed record SplitView(VerifiedTreeHead First, VerifiedTreeHead Second) : LogFault
    {
        /// <inheritdoc/>
        public override string Kind => "split-view";

        /// <inheritdoc/>
        public override IReadOnlyList<VerifiedTreeHead> Heads => [First, Second];

        /// <inheritdoc/>
        protected override bool Check() => First.Content.TreeSize == Second.Content.TreeSize && First.Content != Second.Content;
    }

    /// <summary>A signed older head whose root is not the one that a valid consistency proof to a signed newer head shows.</summary>
    /// <param name="Older">The older head.</param>
    /// <param name="Newer">The head that does not continue it.</param>
    /// <param name="Proof">The proof that brings forth the newer root, and an older root that is not the older head's. Where the older size
    /// is a power
    /// of two, it begins one leaf later: see <see cref="ConsistencyProof.TryFindPrefix"/>.</param>
    /// <param name="IsMapHeadLog">Whether it is the map-head log that was rewritten, and not the log.</param>
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

    /// <summary>A map entry that names a leaf of the log which holds something else, both proven under one head.</summary>
    /// <param name="Entry">What the map holds.</param>
    /// <param name="Leaf">Hash of the leaf that the log has at the entry's index.</param>
    /// <param name="Inclusion">The proof of that.</param>
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

    /// <summary>Two leaves of a log with one key and different values, under one head: a log takes in one value for a key.</summary>
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
    /// <param name="Index">Which leaf.</param>
    /// <param name="ValueDigest">SHA-256 of its value.</param>
    /// <param name="Inclusion">The proof that it is there.</param>
    public sealed record KeyedLeaf(long Index, Digest ValueDigest, IReadOnlyList<Digest> Inclusion);

    /// <summary>One key with two different entries: a map keeps what it has.</summary>
    /// <param name="First">What was proven first.</param>
    /// <param name="Second">What was proven later.</param>
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

/// <summary>What a log's map was said to hold for a key, with the proof: for evidence, and checked anew each time.</summary>
/// <param name="Head">The head, whose signature was verified.</param>
/// <param name="Key">The key.</param>
/// <param name="Map">The log's answer.</param>
public sealed record ProvenEntry(VerifiedTreeHead Head, ReadOnlyMemory<byte> Key, Wire.MapValueResponse Map)
{
    /// <summary>What is proven; null when nothing is.</summary>
    public ProvenDigest? Verify() =>
        MapProof.TryRead(Map.Proof, out var proof, out _) && proof.TryVerify(Head, Key.Span, Map.Value.Span, out var proven, out _) ? proven
            : null;
}
