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
    private Verdict(int quorum, int operators, ImmutableArray<Answer> answers) => (Quorum, Operators, Answers) = (quorum, operators, answers);

    /// <summary>How many operators must agree.</summary>
    public int Quorum { get; }

    /// <summary>How many operators there are, silent ones included.</summary>
    public int Operators { get; }

    /// <summary>Every elector's answer, in the order of the configuration: the reason of the verdict.</summary>
    public ImmutableArray<Answer> Answers { get; }

    /// <summary>The word that stands in <c>X-Trustix-Decision</c>.</summary>
    public string Outcome => this switch { Agreed => "agreed", Conflict => "conflict", _ => "undecided" };

    /// <summary>The verdict's reason in one line: <c>2 of 3 needed: alice=sha256:…, bob=sha256:…, carol=silent(no-answer)</c>.</summary>
    public string Sentence => $"{Quorum} of {Operators} needed: {string.Join(", ", Answers.Select(Describe))}";

    /// <summary>A quorum says the same, and nothing stands against it.</summary>
    public sealed record Agreed : Verdict
    {
        internal Agreed(OutputClaim claim, int quorum, int operators, ImmutableArray<Answer> answers)
            : base(quorum, operators, answers) => Claim = claim;

        /// <summary>What they say.</summary>
        public OutputClaim Claim { get; }
    }

    /// <summary>At least two different outputs are proven, and none prevails.</summary>
    public sealed record Conflict : Verdict
    {
        internal Conflict(ConflictReason reason, int quorum, int operators, ImmutableArray<Answer> answers)
            : base(quorum, operators, answers) => Reason = reason;

        /// <summary>Why none does.</summary>
        public ConflictReason Reason { get; }
    }

    /// <summary>At most one output is proven, and by no quorum.</summary>
    public sealed record Undecided : Verdict
    {
        internal Undecided(int quorum, int operators, ImmutableArray<Answer> answers)
            : base(quorum, operators, answers)
        {
        }
    }

    private string Describe(Answer answer) => $"{answer.Elector.Name}={answer.Ballot switch
    {
        Ballot.Claimed vote => vote.Claim.NarHash + Distinction(vote.Claim) + (vote.IsTied ? "" : "(untied)"),
        Ballot.Absent { IsProven: true } => "absent",
        Ballot.Absent => "silent(not-found)",
        Ballot.Silent silent => $"silent({Kebab(silent.Reason.ToString())})",
        _ => throw new System.Diagnostics.UnreachableException(),
    }}";

    /// <summary>What tells a claim from another one with the same hash.</summary>
    private string Distinction(OutputClaim claim)
    {
        var hasTwin = Answers.Any(other => other.Ballot is Ballot.Claimed vote && vote.Claim != claim && vote.Claim.NarHash == claim.NarHash);
        return hasTwin ? $"(size {claim.NarSize}, {claim.References.Length} references)" : "";
    }

    private static string Kebab(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) && i > 0 ? $"-{char.ToLowerInvariant(c)}" : char.ToLowerInvariant(c).ToString()));
}
