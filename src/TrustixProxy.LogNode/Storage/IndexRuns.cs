using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A sorted run of index rows on disk, in blocks.</summary>
/// <param name="Id">Its number; grows.</param>
/// <param name="First">The first entry whose rows it has.</param>
/// <param name="Last">The entry after the last.</param>
/// <param name="Into">The run that it is being merged into; 0 for none.</param>
/// <param name="Upto">Its rows are complete below this key. The runs merged into it hold the others.</param>
internal sealed record IndexRun(long Id, long First, long Last, long Into, long Upto)
{
    /// <summary>The value of <see cref="Upto"/> in a complete run.</summary>
    public const long Whole = 1L << IndexBlock.KeyBits;

    /// <summary>Number of entries.</summary>
    public long Count => Last - First;
}

/// <summary>Encodes some index rows in the order of their prefixes: 8 bytes of prefix and 5 of entry number each, little-endian.</summary>
internal static class IndexBlock
{
    /// <summary>Number of bits of a key: the first of a prefix. Rows with one key are in one block, which is named after its first
    /// key.</summary>
    public const int KeyBits = 40;

    /// <summary>Number of rows from which on a block ends where the key changes.</summary>
    public const int Rows = 64;

    private const int RowSize = 13;

    /// <summary>Returns a prefix's key; keys have the order of the prefixes.</summary>
    public static long KeyOf(long prefix) => (prefix >> (64 - KeyBits)) + (1L << (KeyBits - 1));

    /// <summary>Returns the number of the block of a run that begins with a key.</summary>
    public static long Id(long run, long key) => (run << KeyBits) | key;

    /// <summary>Returns the run of a block.</summary>
    public static long RunOf(long id) => id >> KeyBits;

    public static byte[] Encode(ReadOnlySpan<IndexRow> rows)
    {
        var bytes = new byte[rows.Length * RowSize];
        for (var i = 0; i < rows.Length; i++)
        {
            var row = bytes.AsSpan(i * RowSize, RowSize);
            BinaryPrimitives.WriteInt64LittleEndian(row, rows[i].Prefix);
            BinaryPrimitives.WriteUInt32LittleEndian(row[8..], (uint)(rows[i].Index & uint.MaxValue));
            row[12] = checked((byte)(rows[i].Index >> 32));
        }

        return bytes;
    }

    public static IndexRow[] Decode(ReadOnlySpan<byte> bytes)
    {
        var rows = new IndexRow[bytes.Length / RowSize];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = Row(bytes, i);
        }

        return rows;
    }

    /// <summary>Finds the entries under a prefix.</summary>
    public static long[] Find(ReadOnlySpan<byte> bytes, long prefix)
    {
        var (low, high) = (0, bytes.Length / RowSize);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = Prefix(bytes, middle) < prefix ? (middle + 1, high) : (low, middle);
        }

        var end = low;
        while (end < bytes.Length / RowSize && Prefix(bytes, end) == prefix)
        {
            end++;
        }

        var found = new long[end - low];
        for (var i = low; i < end; i++)
        {
            found[i - low] = Row(bytes, i).Index;
        }

        return found;
    }

    private static long Prefix(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[(at * RowSize)..]);

    private static IndexRow Row(ReadOnlySpan<byte> bytes, int at)
    {
        var row = bytes.Slice(at * RowSize, RowSize);
        return new IndexRow(
            BinaryPrimitives.ReadInt64LittleEndian(row), BinaryPrimitives.ReadUInt32LittleEndian(row[8..]) | ((long)row[12] << 32));
    }
}

/// <summary>Reads the runs of the index through one connection, in one state of the file.</summary>
internal sealed class IndexRuns(SqliteConnection connection) : IDisposable
{
    private readonly Statement _runs = new(connection, "SELECT id, first, last, into_run, upto FROM find_run ORDER BY id");
    private readonly Statement _block = new(connection, "SELECT id, rows FROM find_block WHERE id <= $1 ORDER BY id DESC LIMIT 1");
    private readonly Statement _blocks = new(connection, "SELECT id, rows FROM find_block ORDER BY id");

    /// <summary>Reads all runs. One that is not merged has older entries than those after it.</summary>
    public List<IndexRun> All() =>
        _runs.All(row => new IndexRun(row.Number(0), row.Number(1), row.Number(2), row.Number(3), row.Number(4)));

    /// <summary>Finds the entries under a prefix.</summary>
    /// <param name="runs">All runs.</param>
    public List<long> Find(List<IndexRun> runs, long prefix)
    {
        var (found, key) = (new List<long>(), IndexBlock.KeyOf(prefix));
        foreach (var run in runs.Where(run => Holds(runs, run, key)))
        {
            found.AddRange(_block.First(
                row => IndexBlock.RunOf(row.Number(0)) == run.Id ? IndexBlock.Find(row.Span(1), prefix) : [],
                IndexBlock.Id(run.Id, key)) ?? []);
        }

        return found;
    }

    /// <summary>Reads every row, but not those that another run already has.</summary>
    public IEnumerable<IndexRow> AllRows()
    {
        var runs = All();
        var byId = runs.ToDictionary(run => run.Id);
        foreach (var (id, rows) in _blocks.Stream(row => (Id: IndexBlock.RunOf(row.Number(0)), Rows: IndexBlock.Decode(row.Span(1)))))
        {
            foreach (var row in rows)
            {
                if (byId.TryGetValue(id, out var run) && Holds(runs, run, IndexBlock.KeyOf(row.Prefix)))
                {
                    yield return row;
                }
            }
        }
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _runs, _block, _blocks })
        {
            statement.Dispose();
        }
    }

    /// <summary>Whether a run, and not the one it is merged into or from, has the rows with this key.</summary>
    private static bool Holds(List<IndexRun> runs, IndexRun run, long key) =>
        key < run.Upto && (run.Into is 0 || runs.Find(other => other.Id == run.Into) is not { } target || key >= target.Upto);
}
