using System.Collections.Immutable;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>What is audited, and how.</summary>
/// <param name="Cache">The binary cache.</param>
/// <param name="Keys">A signature by one of them is demanded; none when empty.</param>
public sealed record AuditDemands(UpstreamOptions Cache, ImmutableArray<CacheKey> Keys)
{
    /// <summary>The store of the cache, which decides the form of its narinfos and keys.</summary>
    public Nix.Store Store => Cache.Serves.NarInfoStore ?? Nix.Store.Nix;

    /// <summary>Whether each reference must occur in the NAR.</summary>
    public bool AreReferencesSought { get; init; }

    /// <summary>Whether references are audited too.</summary>
    public bool IsOfClosure { get; init; }

    /// <summary>Maximum number of paths at once.</summary>
    public int Parallel { get; init; } = 4;

    /// <summary>Maximum number of bytes per second; null for no bound.</summary>
    public long? Rate { get; init; }

    /// <summary>How long a path is tried again while the cache fails or asks for a pause.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);
}
