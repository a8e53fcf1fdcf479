using System.Globalization;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Keeps the rebuilder's store within its bound.</summary>
internal sealed class StoreRoom(RebuilderOptions options, OwnStore store)
{
    /// <summary>Ends what fills the store beyond its bound.</summary>
    public StoreBound Bound { get; } = new(store.SizeAsync, options.TotalDisk);

    /// <summary>What a build shall find free: all that it may use, but at most half of the store.</summary>
    private long Reserve => Math.Min(options.Disk, options.TotalDisk / 2);

    /// <summary>Makes room for a build, as far as what is in use leaves any; returns whether anything was removed.</summary>
    /// <param name="inUse">The derivations that may be being built.</param>
    /// <exception cref="NixException">The store stays larger than its bound.</exception>
    public async Task<bool> MakeAsync(IEnumerable<StorePath> inUse, CancellationToken cancellation)
    {
        var size = await store.SizeAsync(cancellation);
        if (size <= options.TotalDisk - Reserve)
        {
            return false;
        }

        store.RemoveLeftovers(inUse);
        size = await store.SizeAsync(cancellation);
        if (size > options.TotalDisk - Reserve)
        {
            await store.CollectAsync(size - (options.TotalDisk - Reserve), cancellation);
            size = await store.SizeAsync(cancellation);
        }

        return size <= options.TotalDisk ? true : throw new NixException(string.Create(CultureInfo.InvariantCulture,
            $"the store has {size} bytes, more than {options.TotalDisk} (rebuilder.totalDisk), and running builds use the rest"));
    }
}
