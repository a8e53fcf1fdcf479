using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>The state of one name claimed for a digest.</summary>
/// <param name="Path">The full path.</param>
/// <param name="Verdict">The verdict on it; null while an answer could change it.</param>
/// <param name="MayBeGranted">Whether a pending answer could grant it.</param>
public readonly record struct NameVerdict(StorePath Path, Verdict? Verdict, bool MayBeGranted);

/// <summary>Chooses among the names claimed for one digest. Decisions concern full paths, and a digest has one true name.</summary>
public sealed record NameChoice
{
    private NameChoice(ImmutableArray<Verdict> granted, bool isOpen) => (Contested, IsOpen, Granted) =
        (granted.Length > 1 ? granted : [], isOpen, granted.Length is 1 && !isOpen ? granted[0] : null);

    /// <summary>The verdict of the granted name once no other can be granted; otherwise null.</summary>
    public Verdict? Granted { get; }

    /// <summary>The verdicts of two or more granted names: a conflict, since at most one is true. Otherwise empty.</summary>
    public ImmutableArray<Verdict> Contested { get; }

    /// <summary>Whether one name is granted while another still may be.</summary>
    public bool IsOpen { get; }

    /// <summary>The reason of a conflict in one line: each granted name with its votes.</summary>
    public string Sentence => $"{Contested.Length} names of one digest are granted: "
        + string.Join("; ", Contested.Select(verdict => $"{verdict.Granted!.Path} ({verdict.Sentence})").Order(StringComparer.Ordinal));

    /// <summary>Chooses among all claimed names, regardless of their order.</summary>
    public static NameChoice Of(IReadOnlyCollection<NameVerdict> names)
    {
        ImmutableArray<Verdict> granted = [
            .. names.Select(name => name.Verdict).OfType<Verdict>().Where(verdict => verdict.Granted is not null)];
        return new NameChoice(granted, granted.Length is 1 && names.Any(name => name is { Verdict: null, MayBeGranted: true }));
    }
}
