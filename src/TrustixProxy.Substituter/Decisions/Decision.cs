using System.Collections.Frozen;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A decision and the body that answers it: a signed narinfo, or the reason of a refusal.</summary>
/// <param name="record">The decision.</param>
/// <param name="body">The answer's bytes.</param>
/// <param name="wasCutShort">Whether someone who failed to answer in time could have changed it.</param>
internal sealed class Decision(DecisionRecord record, byte[] body, bool wasCutShort = false)
{
    /// <summary>What a record with its hashes, names and votes takes in memory, beside its references and texts.</summary>
    private const int RecordSize = 3072, ReferenceSize = 320;

    private Judgement? _judged;

    /// <summary>The decision.</summary>
    public DecisionRecord Record => record;

    /// <summary>The answer's bytes.</summary>
    public byte[] Body => body;

    /// <summary>Whether someone who failed to answer in time could have changed it.</summary>
    public bool WasCutShort => wasCutShort;

    /// <summary>Which of its references were refused when that was looked at last; null before.</summary>
    public MissingReferences.Known? Missing { get; set; }

    /// <summary>How many bytes it takes in memory, as far as can be told.</summary>
    public int Size { get; } = RecordSize + body.Length + (record.Claim is { } claim
        ? SizeOf(claim) + record.Ballots.Votes.Select(vote => vote.Claim).Where(other => other != claim).Distinct().Sum(SizeOf) : 0);

    /// <summary>Whether the policy grants the same again when some of its voters are no longer believed. Judged anew only when those are
    /// others than before.</summary>
    /// <param name="frozen">Those who are not, the same set while they are the same.</param>
    /// <param name="revoked">Which of their votes are not.</param>
    /// <param name="proven">What heads were proven consistent with those of revocations.</param>
    /// <param name="policy">Who must agree.</param>
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

    /// <summary>What <see cref="StandsWithout"/> came to the last time.</summary>
    private sealed record Judgement(FrozenSet<string> Frozen, StandingRevocations Revoked, bool Stands);
}
