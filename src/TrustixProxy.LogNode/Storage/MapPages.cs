using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>The newest version of the map's pages, for the writer: read from the file, the upper ones kept in memory.</summary>
internal sealed class MapPages(SqliteConnection connection) : IDisposable
{
    /// <summary>Pages of this depth and less are kept in memory: at most 4,369.</summary>
    private const int KeptDepth = 12;

    private readonly Dictionary<MapPageAddress, (MapPage Page, long Version)> _kept = [];
    private readonly Dictionary<MapPageAddress, long> _versions = [];
    private readonly Statement _find = new(connection, "SELECT page, version FROM map_page WHERE address = $1 ORDER BY version DESC LIMIT 1", 1);
    private readonly Statement _insert = new(connection, "INSERT INTO map_page (address, version, page) VALUES ($1, $2, $3)", 3);
    private readonly Statement _delete = new(connection, "DELETE FROM map_page WHERE address = $1 AND version = $2", 2);

    /// <summary>The map of the newest head, to be changed.</summary>
    public SparseMerkleMap Open()
    {
        _versions.Clear();
        return new SparseMerkleMap(Load);
    }

    /// <summary>Writes changed pages; gives the list of the versions that they replace, for <see cref="Drop"/>.</summary>
    public byte[] Write(IReadOnlyDictionary<MapPageAddress, MapPage> changed, long version)
    {
        using var replaced = new MemoryStream();
        Span<byte> number = stackalloc byte[8];
        foreach (var (address, page) in changed)
        {
            var bytes = address.ToBytes();
            _insert.Run(bytes, version, page.Encode());
            if (_versions.TryGetValue(address, out var old))
            {
                replaced.Write(bytes);
                BinaryPrimitives.WriteInt64LittleEndian(number, old);
                replaced.Write(number);
            }

            if (address.Depth <= KeptDepth)
            {
                _kept[address] = (page, version);
            }
        }

        return replaced.ToArray();
    }

    /// <summary>Deletes the page versions of a list.</summary>
    public void Drop(ReadOnlySpan<byte> replaced)
    {
        while (replaced.Length > 0)
        {
            var length = 1 + ((replaced[0] + 7) / 8);
            _delete.Run(replaced[..length].ToArray(), BinaryPrimitives.ReadInt64LittleEndian(replaced[length..]));
            replaced = replaced[(length + 8)..];
        }
    }

    /// <summary>Forgets what is kept in memory.</summary>
    public void Forget() => _kept.Clear();

    public void Dispose()
    {
        _find.Dispose();
        _insert.Dispose();
        _delete.Dispose();
    }

    private MapPage? Load(MapPageAddress address)
    {
        if (!_kept.TryGetValue(address, out var known))
        {
            known = _find.First(row => (MapPage.Decode(row.GetFieldValue<byte[]>(0)), row.GetInt64(1)), address.ToBytes());
            if (known.Page is not null && address.Depth <= KeptDepth)
            {
                _kept[address] = known;
            }
        }

        if (known.Page is not null)
        {
            _versions[address] = known.Version;
        }

        return known.Page;
    }
}
