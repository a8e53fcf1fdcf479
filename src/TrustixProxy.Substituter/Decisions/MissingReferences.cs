using TrustixProxy.Nix;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Finds refused references of an agreed path, so that a client learns of them with the root.</summary>
/// <remarks>Uses existing decisions only; queries no one and never waits.</remarks>
/// <param name="refusals">Recent refusals.</param>
internal sealed class MissingReferences(RefusalMemory refusals, RevocationRegister revocations, TimeProvider time)
{
    /// <summary>Maximum names returned.</summary>
    public const int MaxNames = 10;

    /// <summary>Lifetime of a result, since refusals also expire by age.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    /// <summary>Minimum lifetime of a result, so that misses of other paths do not slow this one.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromMilliseconds(50);

    /// <summary>Returns the base names of refused references, separated by spaces; null if none is refused.</summary>
    /// <remarks>The result is cached with the decision, so repeated requests for a path are free.</remarks>
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

    /// <summary>Version, incremented when a refusal is added or removed; 0 without refusals and revocations.</summary>
    private long Version => refusals.Changes + (revocations.Standing.IsEmpty ? 0 : 1);

    private bool IsRefused(StorePathDigest digest) => refusals.IsRefused(digest) || revocations.Standing.Find(digest) is not null;

    /// <summary>Cached result for a decision.</summary>
    /// <param name="Version">Version of the refusals at that time.</param>
    /// <param name="Names">The names; null if none is refused.</param>
    internal sealed record Known(long Version, long At, string? Names);
}
