using System.Globalization;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Api;

/// <summary>What a file of a log holds.</summary>
internal enum TileKind
{
    /// <summary>The newest checkpoint.</summary>
    Checkpoint,

    /// <summary>Hashes of one level.</summary>
    Hashes,

    /// <summary>Entries.</summary>
    Entries,

    /// <summary>The values of entries.</summary>
    Values,
}

/// <summary>Names a file of a log, as C2SP tlog-tiles does. Each file has one name.</summary>
/// <param name="Level">Level of the hashes: 8 levels of the tree are one of tiles.</param>
/// <param name="Index">Number of the tile, from 0.</param>
/// <param name="Width">Number of records: less than 256 for a partial tile.</param>
internal readonly record struct TilePath(Tree Tree, TileKind Kind, int Level, long Index, int Width)
{
    /// <summary>Number of tree levels per level of tiles.</summary>
    public const int Height = 8;

    private const int MaxLevel = 62 / Height;

    /// <summary>Six groups of three digits keep a number below 2^63.</summary>
    private const int MaxGroups = 6;

    /// <summary>Reads a path below the log's own, such as <c>tile/entries/x001/234.p/7</c>; false for any other spelling.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TilePath path)
    {
        var prefix = Checkpoint.MapHeads.AsSpan(1);
        var tree = Tree.Log;
        if (text.StartsWith(prefix, StringComparison.Ordinal) && text.Length > prefix.Length && text[prefix.Length] is '/')
        {
            tree = Tree.MapHeads;
            text = text[(prefix.Length + 1)..];
        }

        path = new TilePath(tree, TileKind.Checkpoint, 0, 0, ArchiveLayout.Width);
        return text is "checkpoint" || (TryTakeKind(ref text, ref path) && TryReadNumber(text, ref path)
            && (path.Kind is not TileKind.Values || tree is Tree.Log));
    }

    /// <summary>Lists the folders that show a whole tree, each by its first tile.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="size">Its number of leaves.</param>
    public static IEnumerable<TilePath> Folders(Tree tree, long size)
    {
        for (var level = 0; size >> (Height * level) > 0; level++)
        {
            yield return new TilePath(tree, TileKind.Hashes, level, 0, ArchiveLayout.Width);
        }

        yield return new TilePath(tree, TileKind.Entries, 0, 0, ArchiveLayout.Width);
        if (tree is Tree.Log)
        {
            yield return new TilePath(tree, TileKind.Values, 0, 0, ArchiveLayout.Width);
        }
    }

    /// <summary>The folder of a tile, below the log's own.</summary>
    public string Folder => (Tree is Tree.Log ? "" : ArchiveLayout.MapHeads) + Kind switch
    {
        TileKind.Entries => ArchiveLayout.Entries,
        TileKind.Values => ArchiveLayout.Values,
        _ => ArchiveLayout.Level(Level),
    };

    /// <summary>Whether a tree of <paramref name="size"/> leaves has all records of the file.</summary>
    public bool IsIn(long size)
    {
        var count = size >> (Height * Level);
        return count >= Width && Index <= (count - Width) / ArchiveLayout.Width;
    }

    /// <summary>Number of the first record.</summary>
    public long First => Index * ArchiveLayout.Width;

    private static bool TryTakeKind(ref ReadOnlySpan<char> text, ref TilePath path)
    {
        const string tile = "tile/";
        var end = text.StartsWith(tile, StringComparison.Ordinal) ? text[tile.Length..].IndexOf('/') : -1;
        if (end < 0)
        {
            return false;
        }

        var name = text.Slice(tile.Length, end);
        text = text[(tile.Length + end + 1)..];
        path = name switch
        {
            "entries" => path with { Kind = TileKind.Entries },
            "values" => path with { Kind = TileKind.Values },
            [>= '0' and <= '9'] => path with { Kind = TileKind.Hashes, Level = name[0] - '0' },
            _ => path,
        };
        return path.Kind is not TileKind.Checkpoint && path.Level <= MaxLevel;
    }

    private static bool TryReadNumber(ReadOnlySpan<char> text, ref TilePath path)
    {
        var partial = text.IndexOf(".p/", StringComparison.Ordinal);
        if (partial >= 0)
        {
            if (!TryReadWidth(text[(partial + 3)..], out var width))
            {
                return false;
            }

            path = path with { Width = width };
            text = text[..partial];
        }

        long number = 0;
        for (var groups = 1; groups <= MaxGroups; groups++)
        {
            var isLast = text is not ['x', ..];
            text = isLast ? text : text[1..];
            if (text.Length < 3 || text[..3].ContainsAnyExceptInRange('0', '9') || (groups is 1 && !isLast && text[..3] is "000"))
            {
                return false;
            }

            number = (number * 1000) + int.Parse(text[..3], CultureInfo.InvariantCulture);
            text = text[3..];
            if (isLast)
            {
                path = path with { Index = number };
                return text.IsEmpty;
            }

            if (text is not ['/', ..])
            {
                return false;
            }

            text = text[1..];
        }

        return false;
    }

    private static bool TryReadWidth(ReadOnlySpan<char> text, out int width)
    {
        width = 0;
        return text.Length is >= 1 and <= 3 && text[0] is not '0' && !text.ContainsAnyExceptInRange('0', '9')
            && int.TryParse(text, CultureInfo.InvariantCulture, out width) && width < ArchiveLayout.Width;
    }
}
