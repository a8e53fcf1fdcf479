using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Api;

/// <summary>Computes the contents of a log's tiles.</summary>
internal static class TileFiles
{
    /// <summary>Number of entries in memory at once: each may have a value of 1 MiB.</summary>
    private const int Chunk = 16;

    /// <summary>Returns the length of a tile, and how many stored bytes must be read for it.</summary>
    public static (long Length, long Read) SizeOf(LogDatabase log, TilePath path)
    {
        long hashes = path.Width * Digest.Size;
        if (path.Kind is TileKind.Hashes || path.Tree is Tree.MapHeads)
        {
            return (path.Kind is TileKind.Hashes ? hashes : hashes + (2 * path.Width), hashes);
        }

        var (keys, values) = log.Read(reader => reader.SizeOfEntries(path.First, path.First + path.Width));
        return (path.Kind is TileKind.Values ? values + (4 * path.Width) : keys + hashes + (3 * path.Width), keys + values);
    }

    /// <summary>Returns a tile in parts. The log must have all its records.</summary>
    public static IEnumerable<byte[]> Read(LogDatabase log, TilePath path) => path.Kind switch
    {
        TileKind.Hashes => [log.Read(reader => Hashes(reader, path))],
        _ when path.Tree is Tree.MapHeads => [log.Read(reader => MapRoots(reader, path))],
        TileKind.Entries => Entries(log, path, entries => EntryBundle.Encode(
            entries.Select(entry => (ReadOnlyMemory<byte>)EntryBundle.EntryOf(entry.Key, entry.ValueDigest)))),
        _ => Entries(log, path, entries => ArchiveLayout.EncodeValues([.. entries.Select(entry => entry.Value)])),
    };

    private static byte[] Hashes(LogReader reader, TilePath path)
    {
        var nodes = TileNodes.Of(reader, path.Tree);
        var bytes = new byte[path.Width * Digest.Size];
        for (var i = 0; i < path.Width; i++)
        {
            nodes(TilePath.Height * path.Level, path.First + i).CopyTo(bytes.AsSpan(i * Digest.Size));
        }

        return bytes;
    }

    private static byte[] MapRoots(LogReader reader, TilePath path) => EntryBundle.Encode(
        reader.HeadsBetween(path.First, path.First + path.Width).Select(head => head.Message.MapRoot.Memory));

    private static IEnumerable<byte[]> Entries(LogDatabase log, TilePath path, Func<List<Entry>, byte[]> encode)
    {
        var end = path.First + path.Width;
        for (var first = path.First; first < end; first += Chunk)
        {
            var last = Math.Min(first + Chunk, end) - 1;
            yield return encode(log.Read(reader => reader.FindEntries(first, last)));
        }
    }
}
