using Microsoft.Data.Sqlite;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>The map's pages, for the writer. Current ones lie in place; what a batch overwrites goes to the end of <c>map_history</c>, from which readers rebuild earlier versions.</summary>
/// <remarks>So a batch writes each page once where it is, and its history in one run; and history is deleted from its beginning, in one run too.</remarks>
internal sealed class MapPages(SqliteConnection connection) : IDisposable
{
    /// <summary>Pages of this depth and less are kept in memory: at most 4,369.</summary>
    private const int KeptDepth = 8;

    private readonly Dictionary<MapPageAddress, (MapPage Page, long Version)> _kept = [];
    private readonly Dictionary<MapPageAddress, (MapPage Page, long Version)> _loaded = [];
    private readonly Statement _find = new(connection, "SELECT page, version FROM map_page WHERE address = $1");
    private readonly Statement _write = new(connection, "INSERT OR REPLACE INTO map_page (address, version, page) VALUES ($1, $2, $3)");
    private readonly Statement _keep = new(connection, "INSERT INTO map_history (version, address, page, page_version) VALUES ($1, $2, $3, $4)");

    /// <summary>The map of the newest head, to be changed.</summary>
    public SparseMerkleMap Open()
    {
        _loaded.Clear();
        return new SparseMerkleMap(Load);
    }

    /// <summary>Writes the pages that a batch has changed.</summary>
    /// <param name="changed">The pages.</param>
    /// <param name="version">Size of the log with that batch.</param>
    public void Write(IReadOnlyDictionary<MapPageAddress, MapPage> changed, long version)
    {
        var rows = changed.Select(entry => (Address: entry.Key.ToBytes(), Where: entry.Key, entry.Value)).ToArray();
        Array.Sort(rows, (one, other) => one.Address.AsSpan().SequenceCompareTo(other.Address)); // in the order of the tables
        foreach (var (key, address, page) in rows)
        {
            _write.Run(key, version, page.Encode());
            if (_loaded.TryGetValue(address, out var old))
            {
                _keep.Run(version, key, old.Page.Encode(), old.Version);
            }

            if (address.Depth <= KeptDepth)
            {
                _kept[address] = (page, version);
            }
        }
    }

    /// <summary>Forgets what is kept in memory.</summary>
    public void Forget() => _kept.Clear();

    public void Dispose()
    {
        _find.Dispose();
        _write.Dispose();
        _keep.Dispose();
    }

    private MapPage? Load(MapPageAddress address)
    {
        if (!_kept.TryGetValue(address, out var known))
        {
            known = _find.First(row => (MapPage.Decode(row.Bytes(0)), row.Number(1)), address.ToBytes());
            if (known.Page is not null && address.Depth <= KeptDepth)
            {
                _kept[address] = known;
            }
        }

        if (known.Page is not null)
        {
            _loaded[address] = known;
        }

        return known.Page;
    }
}
