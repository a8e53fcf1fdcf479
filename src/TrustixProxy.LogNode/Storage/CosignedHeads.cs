using System.Collections.Immutable;
using System.Text;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Storage;

/// <summary>The newest head that was cosigned, and its two checkpoints.</summary>
/// <param name="MapHeadSize">The head's number, from 1.</param>
/// <param name="Log">The log's checkpoint with its cosignatures; empty for a head that was visible before witnesses were asked.</param>
/// <param name="MapHeads">The map-head log's checkpoint, as <paramref name="Log"/>.</param>
/// <param name="IsWithheld">Whether readers see no newer head.</param>
internal sealed record CosignedHead(long MapHeadSize, byte[] Log, byte[] MapHeads, bool IsWithheld);

/// <summary>Keeps what witnesses answered: the newest cosigned head, the sizes that they are known to have, and a checkpoint that this
/// file does not lead to.</summary>
internal sealed class CosignedHeads(LogDatabase database) : IDisposable
{
    private readonly Statement _find = new(database.Writer, "SELECT mh_size, log, map_heads, is_withheld FROM cosigned");
    private readonly Statement _drop = new(database.Writer, "DELETE FROM cosigned");
    private readonly Statement _keep = new(
        database.Writer, "INSERT INTO cosigned (mh_size, log, map_heads, is_withheld) VALUES ($1, $2, $3, $4)");
    private readonly Statement _head = new(
        database.Writer, "SELECT head.head, map.root FROM head JOIN map ON map.head = head.mh_size WHERE mh_size = $1");
    private readonly Statement _sizes = new(database.Writer, "SELECT name, size FROM witness WHERE tree = $1");
    private readonly Statement _size = new(
        database.Writer, "INSERT OR REPLACE INTO witness (tree, name, size) VALUES ($1, $2, $3)");
    private readonly Statement _newer = new(database.Writer, "SELECT note FROM newer");
    private readonly Statement _keepNewer = new(database.Writer, "INSERT OR IGNORE INTO newer (note) VALUES ($1)");

    /// <summary>Finds the newest; null when there is none.</summary>
    public CosignedHead? Find() =>
        _find.First(row => new CosignedHead(row.Number(0), row.Bytes(1), row.Bytes(2), row.Number(3) is not 0));

    /// <summary>Replaces the newest. The caller has a transaction open.</summary>
    public void Keep(CosignedHead head)
    {
        _drop.Run();
        _keep.Run(head.MapHeadSize, head.Log, head.MapHeads, head.IsWithheld ? 1 : 0);
    }

    /// <summary>Finds a head by its number, with the page at the root of its map; null when its map is no longer stored.</summary>
    public (LogHead Head, long MapRoot)? FindHead(long mapHeadSize) =>
        _head.First(row => ((LogHead, long)?)(LogHead.Parser.ParseFrom(row.Bytes(0)), row.Number(1)), mapHeadSize);

    /// <summary>Returns the size that each witness is known to have of a tree, by the witness's name.</summary>
    public ImmutableDictionary<string, long> SizesOf(Tree tree) =>
        _sizes.All(row => (Name: Encoding.UTF8.GetString(row.Bytes(0)), Size: row.Number(1)), (int)tree)
            .ToImmutableDictionary(row => row.Name, row => row.Size, StringComparer.Ordinal);

    /// <summary>Replaces those sizes. The caller has a transaction open.</summary>
    public void KeepSizes(Tree tree, ImmutableDictionary<string, long> sizes)
    {
        foreach (var (name, size) in sizes)
        {
            _size.Run((int)tree, Encoding.UTF8.GetBytes(name), size);
        }
    }

    /// <summary>Finds a checkpoint under the log's own key that this file does not lead to; null when none was seen.</summary>
    public byte[]? FindNewer() => _newer.First(row => row.Bytes(0));

    /// <summary>Keeps such a checkpoint. The caller has a transaction open.</summary>
    public void KeepNewer(byte[] note) => _keepNewer.Run(note);

    public void Dispose()
    {
        foreach (var part in new IDisposable[] { _find, _drop, _keep, _head, _sizes, _size, _newer, _keepNewer })
        {
            part.Dispose();
        }
    }
}
