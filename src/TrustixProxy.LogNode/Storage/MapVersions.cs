using System.Runtime.InteropServices;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A version of the map, created by a batch.</summary>
/// <param name="Root">Number of the page at the root; 0 for the empty map.</param>
/// <param name="Replaced">Numbers of the previous version's pages that this one lacks.</param>
internal readonly record struct MapVersion(Digest Hash, long Root, IReadOnlyList<long> Replaced);

/// <summary>Writes the map. A batch appends the pages it changes, and the previous version keeps its own. So writes are sequential, and
/// history is what <see cref="MapGarbage"/> has not deleted yet.</summary>
internal sealed class MapVersions(LogDatabase database) : IDisposable
{
    /// <summary>Number of additions from which two threads share them: below, waking a thread costs more than it saves.</summary>
    private const int Many = 64;

    private readonly MapPages _pages = new(database.Writer, database.Pages);
    private Dictionary<long, MapPage> _loaded = [];
    private readonly Statement _write = new(database.Writer, "INSERT INTO map_page (number, page) VALUES ($1, $2)");
    private readonly Statement _keep = new(
        database.Writer, "INSERT INTO map (head, root, prefix, signed_at, replaced) VALUES ($1, $2, $3, $4, $5)");
    private readonly Statement _newest = new(database.Writer, "SELECT root FROM map ORDER BY head DESC LIMIT 1");

    /// <summary>Returns the root of the newest version; 0 when there is none, or it is empty.</summary>
    public long Newest() => _newest.First(row => row.Number(0));

    /// <summary>Opens a version for additions.</summary>
    public SparseMerkleMap Open(long root)
    {
        _loaded = [];
        return new SparseMerkleMap(Load, root);
    }

    /// <summary>Opens a durable version for additions at <paramref name="paths"/>. The pages that lead to many are read by two
    /// threads.</summary>
    public SparseMerkleMap Open(long root, IReadOnlyList<Digest> paths)
    {
        var map = Open(root);
        if (root is not 0 && paths.Count >= Many)
        {
            var upper = Task.Run(() => database.Read(reader => reader.PagesLeadingTo(paths.Where(IsUpper), root)));
            _loaded = _pages.LeadingTo(paths.Where(path => !IsUpper(path)), root);
            foreach (var (number, page) in upper.GetAwaiter().GetResult())
            {
                _loaded[number] = page; // the root's page is in both
            }
        }

        return map;

        static bool IsUpper(Digest path) => path[0] >= 0x80;
    }

    /// <summary>Has another thread hash the additions, if they are many, while the caller does something else. <see cref="Write"/> hashes
    /// the rest.</summary>
    /// <param name="map">The result of <see cref="Open"/>, to which all was added.</param>
    /// <param name="count">How many were added.</param>
    public static void BeginHashing(SparseMerkleMap map, int count)
    {
        if (count >= Many)
        {
            _ = Task.Run(map.Hash);
        }
    }

    /// <summary>Writes the additions to the newest version.</summary>
    /// <param name="map">The result of <see cref="Open"/>.</param>
    /// <param name="root">The root it was opened at: no page has a higher number.</param>
    public MapVersion Write(SparseMerkleMap map, long root)
    {
        var last = root;
        foreach (var (number, page) in map.Commit(root + 1))
        {
            _write.Run(number, page.ToBytes());
            database.Pages.Keep(number, page);
            last = number;
        }

        return new MapVersion(map.RootHash(), last, map.Replaced);
    }

    /// <summary>Records a head's version.</summary>
    public void Keep(long head, MapVersion version, long signedAt) =>
        _keep.Run(head, version.Root, IndexRow.PrefixOf(version.Hash), signedAt, Bytes(version.Replaced));

    /// <summary>Encodes replaced numbers for a row.</summary>
    public static byte[] Bytes(IEnumerable<long> replaced) => MemoryMarshal.AsBytes(replaced.Order().ToArray().AsSpan()).ToArray();

    /// <summary>Clears the cache after a failed batch.</summary>
    public void Forget() => database.Pages.Clear();

    public void Dispose()
    {
        foreach (var part in new IDisposable[] { _pages, _write, _keep, _newest })
        {
            part.Dispose();
        }
    }

    /// <summary>Loads a page; cached, since a batch reads a page twice: to look up a key, and to change it.</summary>
    private MapPage Load(long number, int place)
    {
        if (!_loaded.TryGetValue(number, out var page))
        {
            _loaded.Add(number, page = _pages.Load(number, place));
        }

        return page;
    }
}
