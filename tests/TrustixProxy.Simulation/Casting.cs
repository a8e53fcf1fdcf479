using TrustixProxy.Consensus;

namespace TrustixProxy.Simulation;

/// <summary>Chooses who lies, and how: among the lies that he can tell.</summary>
internal static class Casting
{
    private static readonly Lie[] Mirrored = [Lie.WrongEntry];
    private static readonly Lie[] ByLogs = Of(Liar.Log), ByNetwork = Of(Liar.Network), ByPeers = Of(Liar.Peer), ByCaches = Of(Liar.Cache),
        ByUpstreams = Of(Liar.Upstream);

    /// <summary>Chooses an upstream's lie.</summary>
    /// <remarks>An upstream that fails is tried again, past the short deadline of the simulation. A mirror waits for what upstreams say
    /// before it asks its log for a value, so where there is one, no upstream fails.</remarks>
    public static Lie UpstreamLie(World world)
    {
        var lies = world.Members.Any(member => member.IsMirrored)
            ? ByUpstreams.Where(lie => lie is not (Lie.UpstreamHang or Lie.UpstreamReset)).ToArray()
            : ByUpstreams;
        return lies[world.Random.Next(lies.Length)];
    }

    /// <summary>A rogue operator lies more often than not; between us and an honest one the network lies now and then.</summary>
    public static Lie LieOf(Member member, World world)
    {
        var chance = world.Random.Next(100);
        var lies = (member.Log, member.IsRogue) switch
        {
            (null, true) => chance < 85 ? ByCaches : [],
            (null, false) => chance < 15 ? ByCaches : [],
            (_, true) => chance >= 85 ? [] : member.IsMirrored && world.Random.Next(8) is 0 ? Mirrored : ByLogs,
            _ => chance < 15 ? ByNetwork : chance < 19 ? ByPeers : [],
        };
        if (lies.Length is 0)
        {
            return Lie.None;
        }

        var lie = lies[world.Random.Next(lies.Length)];
        return (member.IsRogue || lie is not Lie.CacheFalseClaim) && (member.Log is not { } log || CanBeTold(lie, member, log, world)) ? lie
            : Lie.None;
    }

    /// <summary>Size of an older head of which the log's own proof shows that it is of another history.</summary>
    public static int OlderSize(SimulatedLog log) =>
        (int)Enumerable.Range(3, (int)log.Known.Content.TreeSize).Select(size => (long)size).First(Fork.IsShownAtOnce);

    private static bool CanBeTold(Lie lie, Member member, SimulatedLog log, World world) => lie switch
    {
        Lie.WrongEntry => member.IsMirrored,
        Lie.EntryOfOtherLeaf or Lie.TwoEntries => !member.IsMirrored, // no mirror ever gets past them
        Lie.SurplusProofNode or Lie.MissingProofNode or Lie.TamperedInclusion or Lie.SwappedInclusion
            or Lie.MapRootOfOlderHead or Lie.TamperedMapRootProof =>
            member is { IsMirrored: false, Elector: Elector.Log { RequiresInclusionProof: true } },
        Lie.OneCallForged or Lie.OneCallForked or Lie.OneCallEmpty or Lie.ReplayedLookup => log.HasOneCall,
        Lie.SplitThenFrozen => world.Members.Count(other => other.Elector.Operator == member.Elector.Operator) > 1,
        Lie.OlderForkShownToPeers => world.Watched(member).Head!.Content.TreeSize > 3,
        Lie.OtherLogsAnswers or Lie.GossipOfOtherLog => log.Other is not null,
        _ => true,
    };

    /// <summary>Lies to choose from; those that can be told in some situations only stand in it more often, so that all are told about as
    /// often.</summary>
    private static Lie[] Of(Liar liar) =>
        [.. LieKind.All.Values.Where(kind => kind.By == liar).SelectMany(kind => Enumerable.Repeat(kind.Lie, kind.Lie switch
    {
        Lie.CacheFalseClaim or Lie.UpstreamHang or Lie.UpstreamReset or Lie.OneCallForged or Lie.OneCallForked or Lie.OneCallEmpty
            or Lie.ReplayedLookup => 4,
        Lie.SurplusProofNode or Lie.MissingProofNode or Lie.TamperedInclusion or Lie.SwappedInclusion or Lie.EntryOfOtherLeaf
            or Lie.TwoEntries => 3,
        Lie.SplitThenFrozen => 5,
        _ => 2,
    }))];
}
