using System.Collections.Immutable;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>Where a log holds the claim that it voted for.</summary>
/// <param name="Leaf">Which leaf of the log.</param>
/// <param name="HeadSize">Size of the head that it was proven under, in leaves.</param>
/// <param name="HeadRoot">Root of that head; null when the proof was not kept.</param>
/// <param name="IsTied">Whether an inclusion proof tied the map entry to the log.</param>
public sealed record VotePosition(long Leaf, long HeadSize, Digest? HeadRoot, bool IsTied)
{
    /// <summary>The position that a log's proof shows.</summary>
    public static VotePosition Of(VoteProof.ByLog proof) =>
        new(proof.LeafIndex, proof.HeadSize, proof.Evidence?.Head.Content.LogRoot, proof.IsTied);
}

/// <summary>A claim that an elector had proven when a decision was made: the decision's own, or a dissent.</summary>
/// <param name="Elector">Name of the elector.</param>
/// <param name="Claim">What it claims.</param>
/// <param name="Position">Where its log holds the claim; null for a signed cache.</param>
/// <param name="Signature">The signed cache's signature; null for a log.</param>
public sealed record Vote(string Elector, OutputClaim Claim, VotePosition? Position, string? Signature)
{
    internal static Vote Of(string elector, Ballot.Claimed ballot) => ballot.Proof switch
    {
        VoteProof.ByLog log => new Vote(elector, ballot.Claim, VotePosition.Of(log), null),
        VoteProof.BySignature cache => new Vote(elector, ballot.Claim, null, cache.Signature.ToString()),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}

/// <summary>The ballots that counted when a decision was made, dissents included. They are all that is needed to judge again.</summary>
/// <param name="Votes">Every proven claim. An elector that is in neither list was silent, or did not know the path.</param>
/// <param name="NotHeard">Names of the electors that were not waited for, as no answer of them could change the verdict.</param>
public sealed record CountedBallots(ImmutableArray<Vote> Votes, ImmutableArray<string> NotHeard)
{
    /// <summary>No ballots: of a refusal, or of what is served without a vote.</summary>
    public static CountedBallots None { get; } = new([], []);

    internal static CountedBallots Of(Verdict verdict) => new(
        [.. verdict.Answers.Where(answer => answer.Ballot is Ballot.Claimed)
            .Select(answer => Vote.Of(answer.Elector.Name, (Ballot.Claimed)answer.Ballot))],
        [.. verdict.Answers.Where(answer => answer.Ballot is Ballot.Silent { Reason: SilenceReason.NotHeard })
            .Select(answer => answer.Elector.Name)]);

    /// <summary>The ballots as they are when some electors are no longer believed: those are silent, and who was not heard still has no
    /// ballot.</summary>
    internal Dictionary<string, Ballot> Without(Policy policy, IReadOnlySet<string> frozen, Func<Vote, bool> isRevoked)
    {
        var ballots = new Dictionary<string, Ballot>();
        foreach (
            var name in policy.Electors.Select(elector => elector.Name).Where(name => frozen.Contains(name) || !NotHeard.Contains(name)))
        {
            ballots[name] = new Ballot.Silent(frozen.Contains(name) ? SilenceReason.Frozen : SilenceReason.NoAnswer);
        }

        foreach (var vote in Votes.Where(vote => !frozen.Contains(vote.Elector) && !isRevoked(vote)))
        {
            ballots[vote.Elector] = new Ballot.Claimed(vote.Claim, KeptProof(vote));
        }

        return ballots;
    }

    /// <summary>The proof was checked when the vote was cast; what is kept of it is where it stood.</summary>
    private static VoteProof.ByLog KeptProof(Vote vote) =>
        new(vote.Position?.Leaf ?? 0, vote.Position?.HeadSize ?? 0, vote.Position?.IsTied ?? true);
}
