namespace TrustixProxy.Consensus;

/// <summary>What claims of any kind come to under a policy. Created only by <see cref="Policy"/>.</summary>
/// <typeparam name="TClaim">What is voted on: equal claims are votes for the same.</typeparam>
public sealed record Judgement<TClaim>
    where TClaim : class
{
    internal Judgement(TClaim? winner, ConflictReason? conflict, Rule rule, string note) =>
        (Winner, Conflict, Rule, Note) = (winner, conflict, rule, note);

    /// <summary>The claim that has the quorum; null when none prevails.</summary>
    public TClaim? Winner { get; }

    /// <summary>Why none of several proven claims prevails; null for a winner, and where too few votes are the reason.</summary>
    public ConflictReason? Conflict { get; }

    /// <summary>The rule applied; it counts silent electors too.</summary>
    public Rule Rule { get; }

    /// <summary>What the quorum lacks; empty when it lacks nothing.</summary>
    public string Note { get; }
}
