using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>What is known of one name that somebody claims for a digest.</summary>
/// <param name="Path">The full path.</param>
/// <param name="Verdict">The verdict on it; null while an answer could change it.</param>
/// <param name="MayBeGranted">Whether an answer that is still to come could grant it.</param>
public readonly record struct NameVerdict(StorePath Path, Verdict? Verdict, bool MayBeGranted);

/// <summary>Chooses among the names that are claimed for one digest. The unit of decision is the full path, and a digest has one true
/// name.</summary>
public sealed record NameChoice
{
    private NameChoice(ImmutableArray<Verdict> granted, bool isOpen) => (Contested, IsOpen, Granted) =
        (granted.Length > 1 ? granted : [], isOpen, granted.Length is 1 && !isOpen ? granted[0] : null);

    /// <summary>The verdict of the one name that is granted, once no other name can be; null otherwise.</summary>
    public Verdict? Granted { get; }

    /// <summary>The verdicts of two or more granted names: a conflict, as at most one of them is true. Empty otherwise.</summary>
    public ImmutableArray<Verdict> Contested { get; }

    /// <summary>Whether one name is granted and another one still may be.</summary>
    public bool IsOpen { get; }

    /// <summary>The reason of a conflict in one line: each granted name and its votes.</summary>
    public string Sentence => $"{Contested.Length} names of one digest are granted: "
        + string.Join("; ", Contested.Select(verdict => $"{verdict.Granted!.Path} ({verdict.Sentence})").Order(StringComparer.Ordinal));

    /// <summary>The choice among all names that are claimed; their order does not matter.</summary>
    public static NameChoice Of(IReadOnlyCollection<NameVerdict> names)
    {
        ImmutableArray<Verdict> granted = [
            .. names.Select(name => name.Verdict).OfType<Verdict>().Where(verdict => verdict.Granted is not null)];
        return new NameChoice(granted, granted.Length is 1 && names.Any(name => name is { Verdict: null, MayBeGranted: true }));
    }
}
