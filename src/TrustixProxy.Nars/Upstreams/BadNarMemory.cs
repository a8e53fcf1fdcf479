using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Remembers for a while which upstream gave bad bytes for which path. Such an upstream is asked last, never skipped, so a mark
/// cannot make a path unavailable.</summary>
public sealed class BadNarMemory : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10), ShortLifetime = TimeSpan.FromSeconds(30);

    private readonly MemoryCache _marks = new(new MemoryCacheOptions { SizeLimit = 10_000 });

    /// <summary>Marks an upstream's NAR of a path as rejected, or as other bytes than it claimed. An unreachable upstream is marked
    /// briefly. One that only broke off is not marked: it has the NAR.</summary>
    public void Mark(Upstream upstream, StorePathDigest path, NarFault fault)
    {
        if (fault is not NarFault.BrokenOff)
        {
            var lifetime = fault is NarFault.Unreachable ? ShortLifetime : Lifetime;
            _marks.Set((upstream, path, fault is NarFault.FileHash), fault,
                new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = lifetime });
        }
    }

    /// <summary>Whether its NAR of this path was recently rejected.</summary>
    public bool IsBad(Upstream upstream, StorePathDigest path) => _marks.TryGetValue((upstream, path, false), out _);

    /// <summary>Whether its NAR of this path recently failed the content address.</summary>
    public bool HasOtherContent(Upstream upstream, StorePathDigest path) =>
        _marks.TryGetValue((upstream, path, false), out NarFault fault) && fault is NarFault.ContentAddress;

    /// <summary>Whether its file for this path recently differed from its narinfo.</summary>
    public bool HasOtherFile(Upstream upstream, StorePathDigest path) => _marks.TryGetValue((upstream, path, true), out _);

    public void Dispose() => _marks.Dispose();
}
