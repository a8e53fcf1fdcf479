using System.Collections.Immutable;

namespace TrustixProxy.Consensus;

/// <summary>Why proven outputs do not make an agreement.</summary>
public enum ConflictReason
{
    /// <summary>Different outputs are proven, none by a quorum.</summary>
    NoQuorum,

    /// <summary>Two outputs have a quorum each.</summary>
    TwoQuorums,

    /// <summary>More than one output is proven, and the policy gives one dissent a veto.</summary>
    Veto,
}

/// <summary>One elector's answer in a verdict.</summary>
/// <param name="Elector">The elector.</param>
/// <param name="Ballot">Its ballot.</param>
public sealed record Answer(Elector Elector, Ballot Ballot);

/// <summary>The result of the electors' answers. Created only by <see cref="Policy"/>.</summary>
public abstract record Verdict
{
    private Verdict(Rule rule, ImmutableArray<Answer> answers) => (Rule, Answers) = (rule, answers);

    /// <summary>The rule applied; it counts silent electors too.</summary>
    public Rule Rule { get; }

    /// <summary>Every elector's answer, in configuration order: the reason of the verdict.</summary>
    public ImmutableArray<Answer> Answers { get; }

    /// <summary>What the verdict leads to while an upstream has the NAR.</summary>
    public Outcome Outcome => this switch
    {
        Agreed => Outcome.Agreed,
        Excepted => Outcome.Excepted,
        Conflict => Outcome.Conflict,
        _ => Outcome.Undecided,
    };

    /// <summary>The verdict's reason in one line: <c>2 of 3 needed: alice=sha256:…, bob=sha256:…, carol=silent(no-answer)</c>.</summary>
    public string Sentence => $"{Rule} needed: {string.Join(", ", Answers.Select(Describe))}{Note}";

    /// <summary>A note appended to the reason; may be empty.</summary>
    public string Note { get; init; } = "";

    /// <summary>Whether only the age of its votes keeps it from being an agreement.</summary>
    public bool IsTooYoung { get; init; }

    /// <summary>The claim that may be served; null for a refusal.</summary>
    public OutputClaim? Granted => this switch { Agreed agreed => agreed.Claim, Excepted excepted => excepted.Claim, _ => null };

    /// <summary>Whether a quorum of operators claims any output for the path, equal or not: then the digest has this name.</summary>
    public bool IsNameCertain =>
        Rule.IsMetBy(Answers.Where(answer => answer.Ballot is Ballot.Claimed).Select(answer => answer.Elector.Operator).ToHashSet());

    /// <summary>A quorum claims the same, and nothing counts against it.</summary>
    public sealed record Agreed : Verdict
    {
        internal Agreed(OutputClaim claim, Rule rule, ImmutableArray<Answer> answers)
            : base(rule, answers) => Claim = claim;

        /// <summary>The agreed claim.</summary>
        public OutputClaim Claim { get; }
    }

    /// <summary>The rule is not met, but an exception determines the served claim.</summary>
    public sealed record Excepted : Verdict
    {
        internal Excepted(OutputClaim claim, PolicyException exception, Verdict refusal)
            : base(refusal.Rule, refusal.Answers) => (Claim, Exception, Note) = (claim, exception, $"; excepted: {exception}");

        /// <summary>The accepted claim.</summary>
        public OutputClaim Claim { get; }

        /// <summary>The exception that accepts it.</summary>
        public PolicyException Exception { get; }
    }

    /// <summary>At least two different outputs are proven, and none prevails.</summary>
    public sealed record Conflict : Verdict
    {
        internal Conflict(ConflictReason reason, Rule rule, ImmutableArray<Answer> answers)
            : base(rule, answers) => Reason = reason;

        /// <summary>Why none prevails.</summary>
        public ConflictReason Reason { get; }
    }

    /// <summary>At most one output is proven, and not by a quorum.</summary>
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
        Ballot.Silent { Reason: SilenceReason.Unwitnessed } => "unwitnessed",
        Ballot.Silent { Reason: SilenceReason.NoInclusionProofs } => "silent(gives no inclusion proofs: set inclusionProof to optional)",
        Ballot.Silent { UnprovenHash: { } hash } => $"silent(claims {hash} without proof)",
        Ballot.Silent silent => $"silent({Kebab.Of(silent.Reason)})",
        _ => throw new System.Diagnostics.UnreachableException(),
    }}{(Rule.AllOperators.Contains(answer.Elector.Operator) ? "" : "(not counted)")}";

    /// <summary>Describes how a claim differs from another with the same hash.</summary>
    private string Distinction(OutputClaim claim)
    {
        var hasTwin = Answers.Any(
            other => other.Ballot is Ballot.Claimed vote && vote.Claim != claim && vote.Claim.NarHash == claim.NarHash);
        return hasTwin ? $"(size {claim.NarSize}, {claim.References.Length} references)" : "";
    }
}
