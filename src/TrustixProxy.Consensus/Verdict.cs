using System.Collections.Immutable;

namespace TrustixProxy.Consensus;

/// <summary>What stands in the way of an agreement although outputs are proven.</summary>
public enum ConflictReason
{
    /// <summary>Different outputs are proven, and none by a quorum.</summary>
    NoQuorum,

    /// <summary>Two outputs have a quorum each.</summary>
    TwoQuorums,

    /// <summary>More than one output is proven, and the policy lets one dissent refuse.</summary>
    Veto,
}

/// <summary>One elector's answer, as a verdict keeps it.</summary>
/// <param name="Elector">Who.</param>
/// <param name="Ballot">What.</param>
public sealed record Answer(Elector Elector, Ballot Ballot);

/// <summary>What the electorate's answers come to. Made only by <see cref="Policy"/>.</summary>
public abstract record Verdict
{
    private Verdict(Rule rule, ImmutableArray<Answer> answers) => (Rule, Answers) = (rule, answers);

    /// <summary>Who must agree, out of how many: silent ones are counted.</summary>
    public Rule Rule { get; }

    /// <summary>Every elector's answer, in the order of the configuration: the reason of the verdict.</summary>
    public ImmutableArray<Answer> Answers { get; }

    /// <summary>The word that stands in <c>X-Trustix-Decision</c>.</summary>
    public string Outcome => this switch { Agreed => "agreed", Excepted => "excepted", Conflict => "conflict", _ => "undecided" };

    /// <summary>The verdict's reason in one line: <c>2 of 3 needed: alice=sha256:…, bob=sha256:…, carol=silent(no-answer)</c>.</summary>
    public string Sentence => $"{Rule} needed: {string.Join(", ", Answers.Select(Describe))}{Note}";

    /// <summary>What is to be added to the reason; empty when nothing is.</summary>
    public string Note { get; init; } = "";

    /// <summary>What may be served; null for a refusal.</summary>
    public OutputClaim? Granted => this switch { Agreed agreed => agreed.Claim, Excepted excepted => excepted.Claim, _ => null };

    /// <summary>Whether a quorum of operators claims something of the path, be their claims alike or not: then the digest has this
    /// name.</summary>
    public bool IsNameCertain =>
        Rule.IsMetBy(Answers.Where(answer => answer.Ballot is Ballot.Claimed).Select(answer => answer.Elector.Operator).ToHashSet());

    /// <summary>A quorum says the same, and nothing stands against it.</summary>
    public sealed record Agreed : Verdict
    {
        internal Agreed(OutputClaim claim, Rule rule, ImmutableArray<Answer> answers)
            : base(rule, answers) => Claim = claim;

        /// <summary>What they say.</summary>
        public OutputClaim Claim { get; }
    }

    /// <summary>The rule is not met, and an exception says which claim is served nevertheless.</summary>
    public sealed record Excepted : Verdict
    {
        internal Excepted(OutputClaim claim, PolicyException exception, Verdict refusal)
            : base(refusal.Rule, refusal.Answers) => (Claim, Exception, Note) = (claim, exception, $"; excepted: {exception}");

        /// <summary>The claim that is accepted.</summary>
        public OutputClaim Claim { get; }

        /// <summary>The exception that accepts it.</summary>
        public PolicyException Exception { get; }
    }

    /// <summary>At least two different outputs are proven, and none prevails.</summary>
    public sealed record Conflict : Verdict
    {
        internal Conflict(ConflictReason reason, Rule rule, ImmutableArray<Answer> answers)
            : base(rule, answers) => Reason = reason;

        /// <summary>Why none does.</summary>
        public ConflictReason Reason { get; }
    }

    /// <summary>At most one output is proven, and by no quorum.</summary>
    public sealed record Undecided : Verdict
    {
        internal Undecided(Rule rule, ImmutableArray<Answer> answers)
            : base(rule, answers)
        {
        }
    }

    private string Describe(Answer answer) => $"{answer.Elector.Name}={answer.Ballot switch
    {
        Ballot.Claimed vote => vote.Claim.NarHash + Distinction(vote.Claim) + (vote.IsUntied ? "(untied)" : ""),
        Ballot.Absent { IsProven: true } => "absent",
        Ballot.Absent => "silent(not-found)",
        Ballot.Silent { Reason: SilenceReason.NoInclusionProofs } => "silent(gives no inclusion proofs: set inclusionProof to optional)",
        Ballot.Silent silent => $"silent({Kebab.Of(silent.Reason)})",
        _ => throw new System.Diagnostics.UnreachableException(),
    }}{(Rule.AllOperators.Contains(answer.Elector.Operator) ? "" : "(not counted)")}";

    /// <summary>What tells a claim from another one with the same hash.</summary>
    private string Distinction(OutputClaim claim)
    {
        var hasTwin = Answers.Any(
            other => other.Ballot is Ballot.Claimed vote && vote.Claim != claim && vote.Claim.NarHash == claim.NarHash);
        return hasTwin ? $"(size {claim.NarSize}, {claim.References.Length} references)" : "";
    }
}
