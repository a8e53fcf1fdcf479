namespace TrustixProxy.Simulation;

/// <summary>Who tells a lie.</summary>
internal enum Liar
{
    /// <summary>A log's own operator: it has the log's key.</summary>
    Log,

    /// <summary>Whoever sits between us and an honest log.</summary>
    Network,

    /// <summary>A peer in gossip, about an honest log.</summary>
    Peer,

    /// <summary>A signed cache's operator, or whoever sits between.</summary>
    Cache,

    /// <summary>A binary cache that NARs come from.</summary>
    Upstream,

    /// <summary>Whoever can write to the store of decisions.</summary>
    Store,

    /// <summary>Somebody on a stage of its own: no log goes on after such a lie, or it needs a policy of its own.</summary>
    Staged,
}

/// <summary>Every way to lie that the simulation knows.</summary>
internal enum Lie
{
    None,

    // Heads.
    ForgedSignature, MalformedHead, Rollback, SplitView, RewrittenLog, RewrittenMapHeads, EmptyConsistencyProof, EmptyMapHeadProof,
    MapRootOfOlderHead, TamperedMapRootProof,

    // The map, and what ties it to the log.
    StaleRoot, StaleProof, SurplusSideNode, PaddingBits, SurplusProofNode, MissingProofNode, EntryOfOtherLeaf,

    // Values.
    WrongValue, NoValue, KnownValueWithheld, ValueOfOtherPath, ValueOfOtherName, ValueOfNothing, FalseClaim,

    // The wire.
    Huge, Drip, Hang, Reset, Html, Truncated,

    // Entries to those who follow them all.
    WrongEntry,

    // One thing to the one call, another to the plain calls.
    OneCallForged, OneCallForked, OneCallEmpty,

    // One thing to us, another to our peers.
    ForkShownToPeers, OlderForkShownToPeers,

    // The truth at first.
    LaterFork, TwoEntries, SplitThenFrozen,

    // Honest logs behind a hostile network.
    ReplayedHead, WithheldHead, TamperedHead, OtherLogsAnswers, TamperedConsistency, TamperedMapProof, TamperedInclusion, SwappedInclusion,
    TamperedValue, ReplayedLookup, Noise,
    CutOff, SilentNetwork,

    // Honest logs slandered by a peer.
    GossipForged, GossipReplayed, GossipOfOtherLog,

    // Signed caches.
    CacheForgedSignature, CacheRelayedSignature, CacheOtherName, CacheOtherPath, CacheHtml, CacheError, CacheHang, CacheReset,
    CacheFalseClaim,

    // Upstreams.
    UpstreamWrongName, UpstreamFalseHash, UpstreamFalseSize, UpstreamInjectedAddress, UpstreamForgedSignature, UpstreamHtml, UpstreamHang,
    UpstreamReset,

    // Stores.
    StoreTampered, StoreMoved, StoreOfOtherPolicy,

    // Mirrored logs, and logs that are files.
    RepeatedKey, RepeatedEntry, UnsignedExportHead, ExportHeadOfNoSize,

    // Two names for one digest.
    SecondName, SecondNameGranted,

    // A thief of a log's key, after the revocation.
    ThiefAppends, ThiefRewrites, ThiefPointsAtOldLeaf,

    // Witnesses, and logs that hide from them.
    WitnessForges, WitnessSignsTwice, WitnessLate, WitnessAhead, WitnessesGone, FewWitnessesGone, SplitBelowQuorum, PrivateHistory,
    NoCheckpoint,

    // Rebuilders on lila servers, and the servers.
    RebuilderOtherOutput, RebuilderFalseClaim, RebuilderForged, RebuilderUsurped, RebuilderLeftOut, RebuilderHtml,
}

/// <summary>What is to become of a lie.</summary>
/// <param name="Lie">The lie.</param>
/// <param name="By">Who tells it.</param>
/// <param name="Fate">The reason for which it is refused; or what is believed in spite of it.</param>
internal sealed record LieKind(Lie Lie, Liar By, string Fate)
{
    /// <summary>The vote is the true one: the lie was passed over.</summary>
    public const string Truth = "the truth is heard";

    /// <summary>It is a proven vote for something else: it counts as one, and is outvoted or refuses.</summary>
    public const string Dissent = "a vote, and no more";

    /// <summary>Absence, proven under a head that is no newer than what was seen.</summary>
    public const string Absent = "absent";

    /// <summary>Whatever it is, no claim but the true one comes of it, and no fault.</summary>
    public const string Harmless = "refused, or the truth";

    /// <summary>Two names of one digest are granted, so that neither is served.</summary>
    public const string NameConflict = "conflict of two names";

    /// <summary>What an upstream says decides nothing.</summary>
    public const string Unheeded = "decides nothing";

    public static IReadOnlyDictionary<Lie, LieKind> All { get; } = new LieKind[]
    {
        new(Lie.ForgedSignature, Liar.Log, "HeadSignature"), new(Lie.MalformedHead, Liar.Log, "HeadMalformed"),
            new(Lie.Rollback, Liar.Log, "HeadOlder"),
        new(Lie.SplitView, Liar.Log, "Frozen: split-view"), new(Lie.RewrittenLog, Liar.Log, "Frozen: rewritten-log"),
            new(Lie.RewrittenMapHeads, Liar.Log, "Frozen: rewritten-map-heads"),
        new(Lie.EmptyConsistencyProof, Liar.Log, "HeadInconsistent"), new(Lie.EmptyMapHeadProof, Liar.Log, "HeadInconsistent"),
        new(Lie.MapRootOfOlderHead, Liar.Log, "MapRootProof"), new(Lie.TamperedMapRootProof, Liar.Log, "MapRootProof"),
        new(Lie.StaleRoot, Liar.Log, Absent), new(Lie.StaleProof, Liar.Log, "MapProof"), new(Lie.SurplusSideNode, Liar.Log, "MapProof"),
            new(Lie.PaddingBits, Liar.Log, "MapProof"),
        new(Lie.SurplusProofNode, Liar.Log, "InclusionProof"), new(Lie.MissingProofNode, Liar.Log, "InclusionProof"),
            new(Lie.EntryOfOtherLeaf, Liar.Log, "Frozen: map-contradiction"),
        new(Lie.WrongValue, Liar.Log, "ValueDigest"), new(Lie.NoValue, Liar.Log, "ValueMissing"),
            new(Lie.KnownValueWithheld, Liar.Log, Harmless), new(Lie.ValueOfOtherPath, Liar.Log, "ClaimOfOtherPath"),
        new(Lie.ValueOfOtherName, Liar.Log, "ClaimOfOtherPath"),
        new(Lie.ValueOfNothing, Liar.Log, "ClaimMalformed"), new(Lie.FalseClaim, Liar.Log, Dissent),
        new(Lie.Huge, Liar.Log, "TooLarge"), new(Lie.Drip, Liar.Log, "NoAnswer"), new(Lie.Hang, Liar.Log, "NoAnswer"),
            new(Lie.Reset, Liar.Log, "Unreachable"),
        new(Lie.Html, Liar.Log, "BadAnswer"), new(Lie.Truncated, Liar.Log, "BadAnswer"),
        new(Lie.WrongEntry, Liar.Log, "MirrorIncomplete"), new(Lie.OneCallForged, Liar.Log, Truth),
            new(Lie.OneCallForked, Liar.Log, "Frozen: split-view"), new(Lie.OneCallEmpty, Liar.Log, Truth),
        new(Lie.ForkShownToPeers, Liar.Log, "Frozen: split-view"), new(Lie.OlderForkShownToPeers, Liar.Log, "Frozen: rewritten-log"),
        new(Lie.LaterFork, Liar.Log, "Frozen: split-view"), new(Lie.TwoEntries, Liar.Log, "Frozen: two-entries"),
        new(Lie.SplitThenFrozen, Liar.Log, "Frozen: split-view"),
        new(Lie.ReplayedHead, Liar.Network, "HeadOlder"), new(Lie.WithheldHead, Liar.Network, Absent),
            new(Lie.TamperedHead, Liar.Network, "HeadSignature"),
        new(Lie.OtherLogsAnswers, Liar.Network, "HeadSignature"), new(Lie.TamperedConsistency, Liar.Network, "HeadInconsistent"),
            new(Lie.TamperedMapProof, Liar.Network, "MapProof"),
        new(Lie.TamperedInclusion, Liar.Network, "InclusionProof"), new(Lie.SwappedInclusion, Liar.Network, "InclusionProof"),
            new(Lie.TamperedValue, Liar.Network, "ValueDigest"),
        new(Lie.ReplayedLookup, Liar.Network, Harmless), new(Lie.Noise, Liar.Network, Harmless),
            new(Lie.CutOff, Liar.Network, "Unreachable"), new(Lie.SilentNetwork, Liar.Network, "NoAnswer"),
        new(Lie.GossipForged, Liar.Peer, Truth), new(Lie.GossipReplayed, Liar.Peer, Truth), new(Lie.GossipOfOtherLog, Liar.Peer, Truth),
        new(Lie.CacheForgedSignature, Liar.Cache, "NoSignature"), new(Lie.CacheRelayedSignature, Liar.Cache, "NoSignature"),
            new(Lie.CacheOtherName, Liar.Cache, "ClaimOfOtherPath"),
        new(Lie.CacheOtherPath, Liar.Cache, "BadAnswer"), new(Lie.CacheHtml, Liar.Cache, "BadAnswer"),
        new(Lie.CacheError, Liar.Cache, "Unreachable"),
        new(Lie.CacheHang, Liar.Cache, "NoAnswer"), new(Lie.CacheReset, Liar.Cache, "Unreachable"),
            new(Lie.CacheFalseClaim, Liar.Cache, Dissent),
        new(Lie.UpstreamWrongName, Liar.Upstream, Unheeded), new(Lie.UpstreamFalseHash, Liar.Upstream, Unheeded),
            new(Lie.UpstreamFalseSize, Liar.Upstream, Unheeded),
        new(Lie.UpstreamInjectedAddress, Liar.Upstream, Unheeded), new(Lie.UpstreamForgedSignature, Liar.Upstream, Unheeded),
            new(Lie.UpstreamHtml, Liar.Upstream, Unheeded),
        new(Lie.UpstreamHang, Liar.Upstream, Unheeded), new(Lie.UpstreamReset, Liar.Upstream, Unheeded),
        new(Lie.StoreTampered, Liar.Store, "Mac"), new(Lie.StoreMoved, Liar.Store, "Mac"),
            new(Lie.StoreOfOtherPolicy, Liar.Store, "Policy"),
        new(Lie.RepeatedKey, Liar.Staged, "Frozen: repeated-key"), new(Lie.RepeatedEntry, Liar.Staged, "MirrorIncomplete"),
        new(Lie.UnsignedExportHead, Liar.Staged, "HeadSignature"), new(Lie.ExportHeadOfNoSize, Liar.Staged, "BadAnswer"),
        new(Lie.SecondName, Liar.Staged, Truth), new(Lie.SecondNameGranted, Liar.Staged, NameConflict),
        new(Lie.ThiefAppends, Liar.Staged, "Revoked"), new(Lie.ThiefRewrites, Liar.Staged, "HeadInconsistent"),
        new(Lie.ThiefPointsAtOldLeaf, Liar.Staged, "Revoked"),
        new(Lie.WitnessForges, Liar.Staged, "Unwitnessed: WitnessSignature"),
        new(Lie.WitnessSignsTwice, Liar.Staged, "Unwitnessed: Quorum"),
        new(Lie.WitnessLate, Liar.Staged, "Unwitnessed: Stale"), new(Lie.WitnessAhead, Liar.Staged, "Unwitnessed: Quorum"),
        new(Lie.WitnessesGone, Liar.Staged, "Unwitnessed: Quorum"), new(Lie.FewWitnessesGone, Liar.Staged, Truth),
        new(Lie.SplitBelowQuorum, Liar.Staged, "Unwitnessed: Quorum"), new(Lie.PrivateHistory, Liar.Staged, "Unwitnessed: Root"),
        new(Lie.NoCheckpoint, Liar.Staged, "Unwitnessed: NoCheckpoint"),
        new(Lie.RebuilderOtherOutput, Liar.Staged, "UnprovenHash"), new(Lie.RebuilderFalseClaim, Liar.Staged, Dissent),
        new(Lie.RebuilderForged, Liar.Staged, "UnprovenHash"), new(Lie.RebuilderUsurped, Liar.Staged, "UnprovenHash"),
        new(Lie.RebuilderLeftOut, Liar.Staged, Absent), new(Lie.RebuilderHtml, Liar.Staged, "BadAnswer"),
    }.ToDictionary(kind => kind.Lie);

    /// <summary>Whether the log is frozen for it.</summary>
    public bool Freezes => Fate.StartsWith("Frozen", StringComparison.Ordinal);

    /// <summary>Whether it is told in the proofs that a log is asked for about one key: a mirror makes them itself.</summary>
    public bool IsOfProofs => Lie is Lie.StaleRoot || Fate is "MapProof" or "InclusionProof";

    /// <summary>What becomes of the answer before the lie is told in full: its operator splits where it votes for something else than its
    /// other elector.</summary>
    public string FateBefore => Lie is Lie.SplitThenFrozen ? Dissent : Truth;

    /// <summary>Whether the lie, or what counts of it, is told only when the answer has left.</summary>
    public bool IsDelayed => Lie is Lie.LaterFork or Lie.TwoEntries or Lie.SplitThenFrozen;
}
