using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Which upstream gave bad bytes for which path, for a while: it is asked last, never left out, so a mark cannot make a path
/// unavailable.</summary>
public sealed class BadNarMemory : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10), ShortLifetime = TimeSpan.FromSeconds(30);

    private readonly MemoryCache _marks = new(new MemoryCacheOptions { SizeLimit = 10_000 });

    /// <summary>Remembers that this upstream's NAR of a path was refused, or held the NAR in other bytes than it said.
    /// One that could not be reached is remembered briefly, and one that only broke off is not: it has the NAR.</summary>
    public void Mark(Upstream upstream, StorePathDigest path, NarFault fault)
    {
        if (fault is not NarFault.BrokenOff)
        {
            var lifetime = fault is NarFault.Unreachable ? ShortLifetime : Lifetime;
            _marks.Set((upstream, path, fault is NarFault.FileHash), fault,
                new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = lifetime });
        }
    }

    /// <summary>Whether its NAR of this path was refused of late.</summary>
    public bool IsBad(Upstream upstream, StorePathDigest path) => _marks.TryGetValue((upstream, path, false), out _);

    /// <summary>Whether its NAR of this path was refused of late because the content address does not hold for it.</summary>
    public bool HasOtherContent(Upstream upstream, StorePathDigest path) =>
        _marks.TryGetValue((upstream, path, false), out NarFault fault) && fault is NarFault.ContentAddress;

    /// <summary>Whether the file it serves for this path was of late another one than its narinfo says.</summary>
    public bool HasOtherFile(Upstream upstream, StorePathDigest path) => _marks.TryGetValue((upstream, path, true), out _);

    public void Dispose() => _marks.Dispose();
}
