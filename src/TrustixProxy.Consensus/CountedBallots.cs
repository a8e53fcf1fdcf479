using System.Collections.Immutable;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>The position of a voted claim in a log.</summary>
/// <param name="Leaf">Index of the claim's leaf, from 0.</param>
/// <param name="HeadSize">Size in leaves of the head it was proven under.</param>
/// <param name="HeadRoot">Root of that head; null when the proof was not kept.</param>
/// <param name="IsTied">Whether an inclusion proof tied the map entry to the log.</param>
public sealed record VotePosition(long Leaf, long HeadSize, Digest? HeadRoot, bool IsTied)
{
    /// <summary>When the demanded witnesses last cosigned that head; null where none are demanded.</summary>
    public DateTimeOffset? WitnessedAt { get; init; }

    /// <summary>The time for which the log was known to have held the entry then; null when nothing showed it.</summary>
    public TimeSpan? Age { get; init; }

    /// <summary>Returns the position that a log's proof shows.</summary>
    public static VotePosition Of(VoteProof.ByLog proof) =>
        new(proof.LeafIndex, proof.HeadSize, proof.Evidence?.Head.Content.LogRoot, proof.IsTied)
        {
            WitnessedAt = proof.Evidence?.Witnessed?.NewestAt,
        };
}

/// <summary>A claim that an elector proved when a decision was made: the decision's own, or a dissent.</summary>
/// <param name="Elector">The elector's name.</param>
/// <param name="Claim">The proven claim.</param>
/// <param name="Position">The claim's position in the log; null for a signed cache or a proof file.</param>
/// <param name="Signature">The signed cache's signature; null for a log or a proof file.</param>
public sealed record Vote(string Elector, OutputClaim Claim, VotePosition? Position, string? Signature)
{
    internal static Vote Of(string elector, Ballot.Claimed ballot) => ballot.Proof switch
    {
        VoteProof.ByLog log => new Vote(elector, ballot.Claim, VotePosition.Of(log) with { Age = ballot.Age }, null),
        VoteProof.BySignature cache => new Vote(elector, ballot.Claim, null, cache.Signature.ToString()),
        VoteProof.ByProofFile => new Vote(elector, ballot.Claim, null, null),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}

/// <summary>The ballots counted in a decision, dissents included; they suffice to judge again.</summary>
/// <param name="Votes">Every proven claim. An elector in neither list was silent, or did not know the path.</param>
/// <param name="NotHeard">Names of the electors not waited for, because no answer could change the verdict.</param>
public sealed record CountedBallots(ImmutableArray<Vote> Votes, ImmutableArray<string> NotHeard)
{
    /// <summary>No ballots: for a refusal, or for what is served without a vote.</summary>
    public static CountedBallots None { get; } = new([], []);

    internal static CountedBallots Of(Verdict verdict) => new(
        [.. verdict.Answers.Where(answer => answer.Ballot is Ballot.Claimed)
            .Select(answer => Vote.Of(answer.Elector.Name, (Ballot.Claimed)answer.Ballot))],
        [.. verdict.Answers.Where(answer => answer.Ballot is Ballot.Silent { Reason: SilenceReason.NotHeard })
            .Select(answer => answer.Elector.Name)]);

    /// <summary>Returns the ballots with frozen electors and votes that lost trust turned silent; electors not waited for still have no
    /// ballot.</summary>
    internal Dictionary<string, Ballot> Without(Policy policy, IReadOnlySet<string> frozen, Func<Vote, bool> hasLostTrust)
    {
        var ballots = new Dictionary<string, Ballot>();
        foreach (
            var name in policy.Electors.Select(elector => elector.Name).Where(name => frozen.Contains(name) || !NotHeard.Contains(name)))
        {
            ballots[name] = new Ballot.Silent(frozen.Contains(name) ? SilenceReason.Frozen : SilenceReason.NoAnswer);
        }

        foreach (var vote in Votes.Where(vote => !frozen.Contains(vote.Elector) && !hasLostTrust(vote)))
        {
            ballots[vote.Elector] = new Ballot.Claimed(vote.Claim, KeptProof(vote)) { Age = vote.Position?.Age };
        }

        return ballots;
    }

    /// <summary>Rebuilds a proof from its stored position; it was checked when the vote was cast.</summary>
    private static VoteProof.ByLog KeptProof(Vote vote) =>
        new(vote.Position?.Leaf ?? 0, vote.Position?.HeadSize ?? 0, vote.Position?.IsTied ?? true);
}
