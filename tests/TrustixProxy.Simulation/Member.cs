using TrustixProxy.Consensus;

namespace TrustixProxy.Simulation;

/// <summary>One elector of a world, and what the simulation makes it do.</summary>
/// <param name="elector">Who votes.</param>
/// <param name="log">Its log; null for a signed cache.</param>
/// <param name="cache">Its cache; null for a log.</param>
internal sealed class Member(Elector elector, SimulatedLog? log, SimulatedCache? cache)
{
    public Elector Elector => elector;

    public string Name => elector.Name;

    public SimulatedLog? Log => log;

    public SimulatedCache? Cache => cache;

    /// <summary>Whether its operator lies.</summary>
    public bool IsRogue { get; init; }

    /// <summary>Whether the proxy follows its log entry by entry, and proves by itself what the log holds.</summary>
    public bool IsMirrored { get; init; }

    /// <summary>Whether it has built the path of this trial.</summary>
    public bool Knows { get; set; }

    /// <summary>The lie of this trial, told by it or by others in its name.</summary>
    public Lie Lie { get; set; }

    /// <summary>What is expected of its ballot.</summary>
    /// <param name="isLater">Whether delayed lies have been told.</param>
    public string Expected(bool isLater)
    {
        var fate = Lie is Lie.None || (IsMirrored && LieKind.All[Lie].IsOfProofs) ? LieKind.Truth
            : LieKind.All[Lie].IsDelayed && !isLater ? LieKind.All[Lie].FateBefore
            : LieKind.All[Lie].Fate;
        return fate is LieKind.Truth && !Knows ? LieKind.Absent : fate;
    }

    /// <summary>What its ballot is, in the same words.</summary>
    public static string Told(Ballot ballot, string truth) => ballot switch
    {
        Ballot.Claimed vote => vote.Claim.Fingerprint == truth ? LieKind.Truth : LieKind.Dissent,
        Ballot.Absent => LieKind.Absent,
        Ballot.Silent silent => silent.Reason.ToString(),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
