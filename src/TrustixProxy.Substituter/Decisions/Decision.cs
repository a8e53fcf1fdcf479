using System.Collections.Frozen;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Revocations;

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

    /// <summary>Estimated bytes in memory.</summary>
    public int Size { get; } = RecordSize + body.Length + (record.Claim is { } claim
        ? SizeOf(claim) + record.Ballots.Votes.Select(vote => vote.Claim).Where(other => other != claim).Distinct().Sum(SizeOf) : 0);

    /// <summary>Whether the policy still grants the claim without the votes of frozen or revoked electors. Re-evaluated only when those
    /// change.</summary>
    /// <param name="frozen">Frozen electors; the same set object until it changes.</param>
    /// <param name="proven">Heads proven consistent with those of revocations.</param>
    public bool StandsWithout(FrozenSet<string> frozen, StandingRevocations revoked, ProvenHeads proven, Policy policy)
    {
        if ((frozen.Count is 0 && revoked.IsEmpty) || record.Claim is null || record.Ballots.Votes.IsEmpty)
        {
            return true;
        }

        var judged = Volatile.Read(ref _judged);
        if (!ReferenceEquals(judged?.Frozen, frozen) || !ReferenceEquals(judged.Revoked, revoked))
        {
            judged = new Judgement(
                frozen, revoked, record.StandsWithout(policy, frozen, vote => revoked.Covers(vote.Elector, vote.Position, proven)));
            Volatile.Write(ref _judged, judged);
        }

        return judged!.Stands;
    }

    private static int SizeOf(OutputClaim claim) => (claim.Fingerprint.Length * 2) + (claim.References.Length * ReferenceSize);

    /// <summary>Last result of <see cref="StandsWithout"/>.</summary>
    private sealed record Judgement(FrozenSet<string> Frozen, StandingRevocations Revoked, bool Stands);
}
