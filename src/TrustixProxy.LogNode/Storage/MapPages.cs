using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Reads pages of the map by number. Pages never change, so all connections share a cache of those used most.</summary>
internal sealed class MapPages(SqliteConnection connection, MapPages.Cache cache) : IDisposable
{
    private readonly Statement _find = new(connection, "SELECT page FROM map_page WHERE number = $1");

    /// <summary>Returns the version of the map with this root; 0 for the empty one.</summary>
    public SparseMerkleMap Map(long root) => new(Load, root);

    /// <param name="number">The page's number.</param>
    /// <param name="depth">Number of map levels above it.</param>
    /// <exception cref="InvalidDataException">The page is missing or damaged.</exception>
    public MapPage Load(long number, int depth)
    {
        if (cache.Find(number) is { } kept)
        {
            return kept;
        }

        try
        {
            var page = MapPage.Of(_find.First(row => row.Bytes(0), number) ?? [], depth);
            cache.Keep(number, page);
            return page;
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"Map page {number} is missing or damaged: run log fsck for a full check.", exception);
        }
    }

    /// <summary>Reads the pages that lead to <paramref name="paths"/> in the version with this root, by their numbers.</summary>
    public Dictionary<long, MapPage> LeadingTo(IEnumerable<Digest> paths, long root)
    {
        var pages = new Dictionary<long, MapPage>();
        var map = new SparseMerkleMap(
            (number, depth) => pages.TryGetValue(number, out var page) ? page : pages[number] = Load(number, depth), root);
        foreach (var path in paths)
        {
            map.TryFind(path, out _);
        }

        return pages;
    }

    public void Dispose() => _find.Dispose();

    /// <summary>Caches pages near the root with their nodes: at most 10 MB, and in a log of any size nearly all of them.</summary>
    internal sealed class Cache
    {
        private readonly Kept?[] _kept = new Kept?[8192];

        public MapPage? Find(long number) =>
            Volatile.Read(ref _kept[number % _kept.Length]) is { } kept && kept.Number == number ? kept.Page : null;

        public void Keep(long number, MapPage page)
        {
            if (page.IsNearRoot)
            {
                Volatile.Write(ref _kept[number % _kept.Length], new Kept(number, page));
            }
        }

        /// <summary>Clears the cache after a batch failed, because its page numbers are used again.</summary>
        public void Clear() => Array.Clear(_kept);

        private sealed record Kept(long Number, MapPage Page);
    }
}
