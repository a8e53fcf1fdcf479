using System.Collections.Immutable;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Names of digests, learned from references of served paths. All names of a digest are queried, so that none displaces
/// another.</summary>
internal sealed class KnownNames : IDisposable
{
    /// <summary>Maximum names per digest. The first ones stay: a genuine reference is usually seen before a false one.</summary>
    private const int MaxNames = 8;

    private const int MaxDigests = 50_000;

    private readonly MemoryCache _names = new(new MemoryCacheOptions { SizeLimit = MaxDigests });
    private readonly Lock _adding = new();

    /// <summary>Returns the names of a digest; empty if none is known.</summary>
    public ImmutableArray<StorePath> Of(StorePathDigest digest) =>
        _names.TryGetValue(digest, out ImmutableArray<StorePath> names) ? names : [];

    /// <summary>Adds a name.</summary>
    public void Add(StorePath path)
    {
        lock (_adding)
        {
            var known = Of(path.Digest);
            if (known.Length < MaxNames && !known.Contains(path))
            {
                _names.Set(path.Digest, known.Add(path), new MemoryCacheEntryOptions { Size = 1 });
            }
        }
    }

    public void Dispose() => _names.Dispose();
}
