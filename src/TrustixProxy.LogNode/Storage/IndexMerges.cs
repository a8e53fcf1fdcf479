using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Adds runs to the index, and merges them, some rows with each batch, so that a lookup reads few runs.</summary>
/// <remarks>A merge writes blocks at the end of a new run and deletes those that it has read. Each step is part of a batch's transaction,
/// or has its own while the log is quiet. A restart goes on with the merges that it finds.</remarks>
internal sealed class IndexMerges(SqliteConnection connection) : IDisposable
{
    /// <summary>A run is merged with the newer ones unless it has more entries than this many times theirs. With 3, a log of 10^7 entries
    /// has at most 5 runs, and those that are being merged; each row is written 8 times. At 10^9 it is 8 and 14.</summary>
    private const int Ratio = 3;

    /// <summary>The same while little is submitted.</summary>
    private const int QuietRatio = 16;

    private readonly IndexRuns _reading = new(connection);
    private readonly Statement _addRun = new(
        connection, "INSERT INTO find_run (id, first, last, into_run, upto) VALUES ($1, $2, $3, 0, $4)");
    private readonly Statement _setInto = new(connection, "UPDATE find_run SET into_run = $1 WHERE id = $2");
    private readonly Statement _setUpto = new(connection, "UPDATE find_run SET upto = $1 WHERE id = $2");
    private readonly Statement _dropRun = new(connection, "DELETE FROM find_run WHERE id = $1");
    private readonly Statement _addBlock = new(connection, "INSERT INTO find_block (id, rows) VALUES ($1, $2)");
    private readonly Statement _dropBlocks = new(connection, "DELETE FROM find_block WHERE id >= $1 AND id < $2");
    private readonly Statement _from = new(
        connection, "SELECT id, rows FROM find_block WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 1");
    private readonly Statement _at = new(
        connection, "SELECT id, rows FROM find_block WHERE id >= $1 AND id <= $2 ORDER BY id DESC LIMIT 1");
    private readonly Dictionary<long, List<Cursor>> _cursors = []; // of the runs that are merged, by the new run

    private List<IndexRun>? _runs;

    /// <summary>The runs, by their numbers. One that is not merged has older entries than those after it.</summary>
    private List<IndexRun> Runs => _runs ??= _reading.All();

    private bool IsMerging => Runs.Exists(run => run.Upto < IndexRun.Whole);

    /// <summary>Returns the size of the log up to which entries are in runs.</summary>
    public long Size() => Runs.Select(run => run.Last).DefaultIfEmpty().Max();

    /// <summary>Adds a run of the entries from <paramref name="first"/> to before <paramref name="last"/>. The caller has a transaction
    /// open.</summary>
    /// <param name="rows">The rows, sorted.</param>
    public void Add(long first, long last, ReadOnlySpan<IndexRow> rows)
    {
        var run = Create(first, last, IndexRun.Whole);
        for (var (begin, end) = (0, 0); begin < rows.Length; begin = end)
        {
            end = Math.Min(begin + IndexBlock.Rows, rows.Length);
            while (end < rows.Length && IndexBlock.KeyOf(rows[end].Prefix) == IndexBlock.KeyOf(rows[end - 1].Prefix))
            {
                end++;
            }

            _addBlock.Run(IndexBlock.Id(run.Id, IndexBlock.KeyOf(rows[begin].Prefix)), IndexBlock.Encode(rows[begin..end]));
        }

        Plan(Ratio);
    }

    /// <summary>Whether there are runs to merge while little is submitted.</summary>
    public bool HasQuietWork => IsMerging || CountToMerge(Runs, QuietRatio) > 1;

    /// <summary>Merges about <paramref name="rows"/> rows while little is submitted. The caller has a transaction open.</summary>
    public void WorkQuietly(int rows)
    {
        if (!IsMerging)
        {
            Plan(QuietRatio);
        }

        Work(rows);
    }

    /// <summary>Merges about <paramref name="rows"/> rows; fewer when nothing is left to merge. The caller has a transaction
    /// open.</summary>
    public void Work(int rows)
    {
        while (rows > 0 && Runs.FindLast(run => run.Upto < IndexRun.Whole) is { } target)
        {
            rows = Work(target, rows);
        }
    }

    /// <summary>Forgets what a failed batch has changed.</summary>
    public void Forget()
    {
        _runs = null;
        _cursors.Clear();
    }

    public void Dispose()
    {
        foreach (var part in new IDisposable[] { _reading, _addRun, _setInto, _setUpto, _dropRun, _addBlock, _dropBlocks, _from, _at })
        {
            part.Dispose();
        }
    }

    /// <summary>Writes blocks of one run; returns how many of the rows are left to be merged.</summary>
    private int Work(IndexRun target, int rows)
    {
        var (cursors, block, upto) = (CursorsOf(target), new List<IndexRow>(2 * IndexBlock.Rows), target.Upto);
        while (rows > 0 && upto < IndexRun.Whole)
        {
            upto = Gather(cursors, block);
            rows -= block.Count;
            if (block.Count > 0)
            {
                var whole = CollectionsMarshal.AsSpan(block);
                _addBlock.Run(IndexBlock.Id(target.Id, IndexBlock.KeyOf(whole[0].Prefix)), IndexBlock.Encode(whole));
                block.Clear();
            }
        }

        Replace(target, target with { Upto = upto });
        _setUpto.Run(upto, target.Id);
        foreach (var cursor in cursors)
        {
            var begin = IndexBlock.Id(cursor.Run.Id, 0);
            _dropBlocks.Run(begin, upto < IndexRun.Whole ? cursor.Block : begin + IndexRun.Whole);
        }

        if (upto is IndexRun.Whole)
        {
            cursors.ForEach(cursor => _dropRun.Run(cursor.Run.Id));
            Runs.RemoveAll(run => run.Into == target.Id);
            _cursors.Remove(target.Id);
            Plan(Ratio);
        }

        return rows;
    }

    /// <summary>Takes the rows of the next block; returns the key of the row after them.</summary>
    private long Gather(List<Cursor> cursors, List<IndexRow> block)
    {
        while (true)
        {
            Cursor? least = null;
            foreach (var cursor in cursors)
            {
                least = cursor.IsAtEnd || (least is not null && least.Current.CompareTo(cursor.Current) <= 0) ? least : cursor;
            }

            if (least is null)
            {
                return IndexRun.Whole;
            }

            var key = IndexBlock.KeyOf(least.Current.Prefix);
            if (block.Count >= IndexBlock.Rows && key != IndexBlock.KeyOf(block[^1].Prefix))
            {
                return key;
            }

            block.Add(least.Current);
            least.Next(_from);
        }
    }

    /// <summary>Begins to merge the newest runs, when an older one is not much larger than all newer ones together.</summary>
    private void Plan(int ratio)
    {
        var free = Runs.Skip(1 + Runs.FindLastIndex(run => run.Into is not 0 || run.Upto < IndexRun.Whole)).ToList();
        var count = CountToMerge(free, ratio);
        if (count > 1)
        {
            var sources = free[^count..];
            var target = Create(sources[0].First, sources[^1].Last, 0);
            foreach (var source in sources)
            {
                Replace(source, source with { Into = target.Id });
                _setInto.Run(target.Id, source.Id);
            }
        }
    }

    /// <summary>Counts the newest runs that are to be merged; fewer than two are not.</summary>
    private static int CountToMerge(List<IndexRun> free, int ratio)
    {
        var (count, size) = (0, 0L);
        while (count < free.Count && (count is 0 || free[^(count + 1)].Count <= ratio * size))
        {
            size += free[^++count].Count;
        }

        return count;
    }

    private IndexRun Create(long first, long last, long upto)
    {
        var run = new IndexRun(1 + Runs.Select(run => run.Id).DefaultIfEmpty().Max(), first, last, 0, upto);
        _addRun.Run(run.Id, first, last, upto);
        Runs.Add(run);
        return run;
    }

    private void Replace(IndexRun before, IndexRun after) => Runs[Runs.FindIndex(run => run.Id == before.Id)] = after;

    private List<Cursor> CursorsOf(IndexRun target)
    {
        if (!_cursors.TryGetValue(target.Id, out var cursors))
        {
            cursors = [.. Runs.Where(run => run.Into == target.Id).Select(run => new Cursor(run, target.Upto, _at, _from))];
            _cursors.Add(target.Id, cursors);
        }

        return cursors;
    }

    /// <summary>Reads a run's rows in their order.</summary>
    private sealed class Cursor
    {
        private IndexRow[] _rows = [];
        private int _next;

        /// <param name="run">The run.</param>
        /// <param name="key">The key to begin at.</param>
        public Cursor(IndexRun run, long key, Statement at, Statement from)
        {
            (Run, Block) = (run, IndexBlock.Id(run.Id, 0));
            Read(at, Block, Block + key);
            while (_next < _rows.Length && IndexBlock.KeyOf(_rows[_next].Prefix) < key)
            {
                _next++;
            }

            ReadOn(from);
        }

        public IndexRun Run { get; }

        /// <summary>Number of the block that it is in.</summary>
        public long Block { get; private set; }

        public bool IsAtEnd => _next == _rows.Length;

        public IndexRow Current => _rows[_next];

        public void Next(Statement from)
        {
            _next++;
            ReadOn(from);
        }

        private void ReadOn(Statement from)
        {
            if (IsAtEnd)
            {
                var isFirst = _rows.Length is 0;
                Read(from, Block + (isFirst ? 0 : 1), IndexBlock.Id(Run.Id + 1, 0));
            }
        }

        private void Read(Statement statement, long first, long last)
        {
            var (id, rows) = statement.First(row => (row.Number(0), IndexBlock.Decode(row.Span(1))), first, last);
            (Block, _rows, _next) = (rows is null ? Block : id, rows ?? _rows, rows is null ? _rows.Length : 0);
        }
    }
}
