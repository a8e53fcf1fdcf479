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
    /// <param name="place">Its <see cref="MapPage.Place"/>.</param>
    /// <exception cref="InvalidDataException">The page is missing or damaged.</exception>
    public MapPage Load(long number, int place)
    {
        if (cache.Find(number, place) is { } kept)
        {
            return kept;
        }

        try
        {
            var page = MapPage.Of(_find.First(row => row.Bytes(0), number) ?? [], place);
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
            (number, place) => pages.TryGetValue(number, out var page) ? page : pages[number] = Load(number, place), root);
        foreach (var path in paths)
        {
            map.TryFind(path, out _);
        }

        return pages;
    }

    public void Dispose() => _find.Dispose();

    /// <summary>Caches the newest pages near the root, with their nodes: all of them, at most 6 MB.</summary>
    internal sealed class Cache
    {
        private readonly Kept?[] _kept = new Kept?[MapPage.TopPages];

        public MapPage? Find(long number, int place) =>
            place < MapPage.TopPages && Volatile.Read(ref _kept[place]) is { } kept && kept.Number == number ? kept.Page : null;

        public void Keep(long number, MapPage page)
        {
            if (page.IsNearRoot && (Volatile.Read(ref _kept[page.Place]) is not { } kept || kept.Number < number))
            {
                Volatile.Write(ref _kept[page.Place], new Kept(number, page));
            }
        }

        /// <summary>Clears the cache after a batch failed, because its page numbers are used again.</summary>
        public void Clear() => Array.Clear(_kept);

        private sealed record Kept(long Number, MapPage Page);
    }
}
