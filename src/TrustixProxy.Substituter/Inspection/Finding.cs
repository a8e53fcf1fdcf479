using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A path to check.</summary>
/// <param name="Installed">SHA-256 of its NAR as installed on this machine; null if not installed.</param>
/// <param name="References">References as installed; empty if not installed.</param>
public sealed record Patient(StorePath Path, NixHash? Installed, IReadOnlyList<StorePath> References);

/// <summary>Finding for one path.</summary>
/// <param name="Outcome">What would be decided.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="IsServed">Whether it would be served.</param>
/// <param name="IsUncertain">Whether an elector that failed to answer could have changed the outcome.</param>
/// <param name="Installed">The installed NAR hash; null if not installed.</param>
/// <param name="Against">Proven claims that differ from the installed path, by elector.</param>
/// <param name="NeededBy">Number of other paths that depend on it, directly or indirectly.</param>
/// <param name="Completing">Electors whose vote for the only proven claim would complete the rule, with the reason for silence; null if it
/// answered absent.</param>
public sealed record Finding(
    StorePath Path, Outcome Outcome, string Sentence, bool IsServed, bool IsUncertain, NixHash? Installed,
    IReadOnlyDictionary<string, NixHash> Against, int NeededBy, IReadOnlyDictionary<string, SilenceReason?> Completing)
{
    /// <summary>If refused, the roots that depend on it: paths that no other path refers to.</summary>
    public IReadOnlyList<StorePath> HoldsBack { get; init; } = [];

    /// <summary>Number of those roots, also of those that <see cref="HoldsBack"/> leaves out.</summary>
    public int RootsHeldBack { get; init; }

    /// <summary>The electors' answers; null if none could be asked.</summary>
    public Verdict? Verdict { get; init; }

    /// <summary>The NAR hash that the electors agree on, an exception accepts, or the content address makes; null otherwise.</summary>
    public NixHash? Accepted { get; init; }

    /// <summary>The references: those that would be served, else those installed, else those of the only proven claim.</summary>
    public IReadOnlyList<StorePath> References { get; init; } = [];

    /// <summary>Whether the installed path differs from proven claims, and is not the one that is accepted.</summary>
    public bool IsContradicted => Against.Count > 0 && Installed != Accepted;

    /// <summary>Whether the accepted path is installed, and an elector that was outvoted proves another.</summary>
    public bool IsDissented => Against.Count > 0 && Installed == Accepted;

    /// <summary>Orders refused paths: what is revoked first, then conflicts, and of each what others need most.</summary>
    public static IEnumerable<Finding> WorstFirst(IEnumerable<Finding> refused) => refused
        .OrderBy(finding => finding.Outcome switch { Outcome.Revoked => 0, Outcome.Conflict => 1, _ => 2 })
        .ThenByDescending(finding => finding.NeededBy);
}
