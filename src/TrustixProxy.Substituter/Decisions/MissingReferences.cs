using TrustixProxy.Nix;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Finds the references of an agreed path that are refused, so that a client learns with the root what it will lack.</summary>
/// <remarks>Only what is decided already counts: nobody is asked, and nothing waits.</remarks>
/// <param name="refusals">What was refused lately.</param>
/// <param name="revocations">What is revoked.</param>
/// <param name="time">The clock.</param>
internal sealed class MissingReferences(RefusalMemory refusals, RevocationRegister revocations, TimeProvider time)
{
    /// <summary>The most names that are told.</summary>
    public const int MaxNames = 10;

    /// <summary>How long an answer is believed: a refusal ends by its age as well.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    /// <summary>How long an answer is believed whatever else is refused meanwhile: misses of other paths must not slow this one.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromMilliseconds(50);

    /// <summary>The base names of refused references, parted by spaces; null when none is refused.</summary>
    /// <remarks>What was found is kept with the decision, so that a path that is asked for again and again costs nothing more.</remarks>
    public string? Find(Decision decision)
    {
        if (decision.Record.Claim is not { References.IsEmpty: false } claim)
        {
            return null;
        }

        var (version, now) = (Version, time.GetTimestamp());
        if (version is 0)
        {
            return null;
        }

        var known = decision.Missing;
        if (known is null || time.GetElapsedTime(known.At, now) > (known.Version == version ? Lifetime : Settled))
        {
            var names = claim.References.Where(reference => reference != claim.Path && IsRefused(reference.Digest)).Take(MaxNames).ToList();
            decision.Missing = known = new Known(version, now, names.Count is 0 ? null : string.Join(' ', names));
        }

        return known.Names;
    }

    /// <summary>Goes up whenever a refusal comes or goes; 0 while there is none, and nothing is revoked.</summary>
    private long Version => refusals.Changes + (revocations.Standing.IsEmpty ? 0 : 1);

    private bool IsRefused(StorePathDigest digest) => refusals.IsRefused(digest) || revocations.Standing.Find(digest) is not null;

    /// <summary>What was found for a decision.</summary>
    /// <param name="Version">The state of refusals that it was found under.</param>
    /// <param name="At">When.</param>
    /// <param name="Names">The names; null when none is refused.</param>
    internal sealed record Known(long Version, long At, string? Names);
}
