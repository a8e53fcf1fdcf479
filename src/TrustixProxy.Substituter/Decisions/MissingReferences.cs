using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Finds the references of an agreed path that are refused, so that a client learns with the root what it will lack.</summary>
/// <remarks>Only what is decided already counts: nobody is asked, and nothing waits.</remarks>
/// <param name="find">The decision on a digest that is in memory and in force; null when there is none.</param>
/// <param name="refusals">Counts up whenever a refusal comes into memory or leaves it.</param>
/// <param name="time">The clock.</param>
internal sealed class MissingReferences(Func<ReadOnlySpan<char>, Decision?> find, Func<long> refusals, TimeProvider time)
{
    /// <summary>The most names that are told.</summary>
    public const int MaxNames = 10;

    /// <summary>How long an answer is believed: a refusal ends by its age as well.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    /// <summary>The base names of refused references, parted by spaces; null when none is refused.</summary>
    /// <remarks>What was found is kept with the decision, so that a path that is asked for again and again costs nothing more.</remarks>
    public string? Find(Decision decision)
    {
        if (decision.Record.Claim is not { References.IsEmpty: false } claim)
        {
            return null;
        }

        var (version, now) = (refusals(), time.GetTimestamp());
        if (version is 0)
        {
            return null;
        }

        if (decision.Missing is not { } known || known.Version != version || time.GetElapsedTime(known.At, now) > Lifetime)
        {
            var names = claim.References.Where(reference => reference != claim.Path && IsRefused(reference)).Take(MaxNames).ToList();
            decision.Missing = known = new Known(version, now, names.Count is 0 ? null : string.Join(' ', names));
        }

        return known.Names;
    }

    private bool IsRefused(StorePath reference) => find(reference.Digest.ToString()) is { } decision && decision.Record.Claim?.Path != reference;

    /// <summary>What was found for a decision.</summary>
    /// <param name="Version">The state of refusals that it was found under.</param>
    /// <param name="At">When.</param>
    /// <param name="Names">The names; null when none is refused.</param>
    internal sealed record Known(long Version, long At, string? Names);
}
