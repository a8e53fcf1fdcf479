using System.Collections.Frozen;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A decision with its response body: a signed narinfo, or the reason for a refusal.</summary>
/// <param name="wasCutShort">Whether an elector that missed the deadline could have changed it.</param>
internal sealed class Decision(DecisionRecord record, byte[] body, bool wasCutShort = false)
{
    /// <summary>Memory of a record with its hashes, names and votes, without references and texts.</summary>
    private const int RecordSize = 3072, ReferenceSize = 320;

    private Judgement? _judged;

    /// <summary>The decision.</summary>
    public DecisionRecord Record => record;

    /// <summary>The answer's bytes.</summary>
    public byte[] Body => body;

    /// <summary>Whether an elector that missed the deadline could have changed it.</summary>
    public bool WasCutShort => wasCutShort;

    /// <summary>References found refused at the last check; null before.</summary>
    public MissingReferences.Known? Missing { get; set; }

    /// <summary>What the path lacks, for the work list; null if it was decided, or nobody names a path.</summary>
    public WantedPath? Wanted { get; set; }

    /// <summary>Estimated bytes in memory.</summary>
    public int Size { get; } = RecordSize + body.Length + (record.Claim is { } claim
        ? SizeOf(claim) + record.Ballots.Votes.Select(vote => vote.Claim).Where(other => other != claim).Distinct().Sum(SizeOf) : 0);

    /// <summary>Whether the policy still grants the claim without the votes of frozen or revoked electors, and of logs whose witnesses were
    /// seen too long ago. Re-evaluated only when that changes.</summary>
    /// <param name="trust">The trust under which it was made.</param>
    /// <param name="now">The time.</param>
    public bool Stands(DecisionTrust trust, DateTimeOffset now)
    {
        var (frozen, revoked) = (trust.Frozen(), trust.Revoked());
        if ((frozen.Count is 0 && revoked.IsEmpty && !trust.Witnessed.AreDemanded) || record.Claim is null || record.Ballots.Votes.IsEmpty)
        {
            return true;
        }

        var judged = Volatile.Read(ref _judged);
        if (!ReferenceEquals(judged?.Frozen, frozen) || !ReferenceEquals(judged.Revoked, revoked) || now > judged.Until)
        {
            judged = Judge(trust, frozen, revoked, now);
            Volatile.Write(ref _judged, judged);
        }

        return judged!.Stands;
    }

    private Judgement Judge(DecisionTrust trust, FrozenSet<string> frozen, StandingRevocations revoked, DateTimeOffset now)
    {
        var until = DateTimeOffset.MaxValue;
        bool HasLostTrust(Vote vote)
        {
            var end = trust.Witnessed.CountsUntil(vote);
            until = end < until ? end : until; // a vote that no longer counts is looked at again each time: its log may be witnessed again
            return end < now || revoked.Covers(vote.Elector, vote.Position, trust.ProvenHeads);
        }

        return new Judgement(frozen, revoked, record.StandsWithout(trust.Policy, frozen, HasLostTrust), until);
    }

    private static int SizeOf(OutputClaim claim) => (claim.Fingerprint.Length * 2) + (claim.References.Length * ReferenceSize);

    /// <summary>Last result of <see cref="Stands"/>.</summary>
    /// <param name="Until">Last time at which it holds.</param>
    private sealed record Judgement(FrozenSet<string> Frozen, StandingRevocations Revoked, bool Stands, DateTimeOffset Until);
}
