namespace TrustixProxy.LogNode.Storage;

/// <summary>Numbers the rows of tiles.</summary>
internal static class TileRow
{
    /// <summary>Finds a tile's hashes by the number of its row.</summary>
    public const string Find = "SELECT hashes FROM hash_tile WHERE number = $1";

    /// <summary>Does the same in a file of the layout before, which has the table <c>tile</c>.</summary>
    public const string FindOld =
        "SELECT hashes FROM tile WHERE tree = 1 - ($1 >> 60) AND level = 15 - (($1 >> 56) & 15) AND idx = $1 & ((1 << 56) - 1)";

    /// <summary>Reads all tiles of the layout before, with the numbers of their rows.</summary>
    public const string AllOld = "SELECT ((1 - tree) << 60) | ((15 - level) << 56) | idx, hashes FROM tile";

    /// <summary>Returns the number of a tile's row. The lowest level of the log comes last: most tiles are of it, and are added at the end
    /// of the table.</summary>
    public static long NumberOf(Tree tree, int level, long index) => ((long)(1 - tree) << 60) | ((15L - level) << 56) | index;
}

/// <summary>Selects one of the two append-only trees.</summary>
internal enum Tree
{
    /// <summary>The tree of entries.</summary>
    Log,

    /// <summary>The tree of all heads' map roots.</summary>
    MapHeads,
}
