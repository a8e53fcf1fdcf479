using TrustixProxy.LogNode.Storage;
using TrustixProxy.Testing;

namespace TrustixProxy.LogNode.Tests.Storage;

/// <summary>The index finds every row, and no other, whatever runs there are and however far they are merged.</summary>
public sealed class IndexRunsTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly LogDatabase _database;
    private readonly Transactions _transactions;
    private readonly List<IndexRow> _rows = [];
    private IndexMerges _merges;
    private long _size;

    public IndexRunsTests()
    {
        _database = LogDatabase.OpenToWrite(Path.Combine(_folder.Path, "test.sqlite"));
        (_transactions, _merges) = (new Transactions(_database.Writer), new IndexMerges(_database.Writer));
    }

    public void Dispose()
    {
        _merges.Dispose();
        _transactions.Dispose();
        _database.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(2, 40)] // rows that share the bits by which blocks are named
    [InlineData(3, 3)]
    [InlineData(4, 0)]
    public void Every_row_is_found_at_each_step_of_a_merge_after_a_failed_batch_and_after_a_restart(int seed, int bits)
    {
        var random = new Random(seed);
        for (var step = 0; step < 60; step++)
        {
            var (isRun, rows) = (step % 3 is 0, Rows(random, random.Next(1, 500), bits));
            try
            {
                _transactions.Run(() => Change(isRun ? rows : null, random.Next(600), isFailing: random.Next(8) is 0));
                _rows.AddRange(isRun ? rows : []);
                _size += isRun ? rows.Length : 0;
            }
            catch (IOException)
            {
                _merges.Forget();
            }

            if (random.Next(8) is 0)
            {
                _merges.Dispose();
                _merges = new IndexMerges(_database.Writer);
            }

            Assert.Equal(_size, _merges.Size());
            AssertFound(random);
        }

        _transactions.Run(() => _merges.Work(int.MaxValue));
        AssertFound(random);
        var runs = _database.Read(reader => reader.Runs());
        Assert.InRange(runs.Count, 1, 6);
        Assert.All(runs, run => Assert.Equal((0, IndexRun.Whole), (run.Into, run.Upto)));
        Assert.Equal(_size, runs.Sum(run => run.Count));
    }

    [Fact]
    public void A_merge_leaves_no_block_of_the_runs_that_it_has_read()
    {
        var random = new Random(5);
        for (var run = 0; run < 4; run++)
        {
            var rows = Rows(random, 2000, 64);
            _transactions.Run(() => Change(rows, 0, isFailing: false));
            _size += rows.Length;
        }

        _transactions.Run(() => _merges.Work(int.MaxValue));

        Assert.Equal(1, _database.Read(reader => reader.Count("find_run")));
        Assert.InRange(_database.Read(reader => reader.Count("find_block")), 8000 / IndexBlock.Rows, (8000 / IndexBlock.Rows) + 1);
    }

    [Theory]
    [InlineData(60, new[] { 5760L })]
    [InlineData(20, new[] { 5000L, 700L, 20L })]
    public void Runs_that_a_busy_log_leaves_are_merged_while_it_is_quiet_unless_the_older_is_much_larger(int last, long[] left)
    {
        var random = new Random(6);
        foreach (var count in new[] { 5000, 500, 200, last })
        {
            var rows = Rows(random, count, 64);
            _transactions.Run(() => Change(rows, int.MaxValue - 1, isFailing: false));
            _rows.AddRange(rows);
            _size += rows.Length;
        }

        AssertRuns(5000, 700, last);
        while (_merges.HasQuietWork)
        {
            _transactions.Run(() => _merges.WorkQuietly(100));
            AssertFound(random);
        }

        AssertRuns(left);

        void AssertRuns(params long[] counts) => Assert.Equal(counts, _database.Read(reader => reader.Runs()).Select(run => run.Count));
    }

    [Fact]
    public async Task A_node_merges_runs_while_nothing_is_submitted()
    {
        using (var merges = new IndexMerges(_database.Writer))
        {
            merges.Add(0, 5000, Rows(new Random(7), 5000, 64).Order().ToArray());
            merges.Add(5000, 5500, Rows(new Random(8), 500, 64).Order().ToArray());
        }

        await using var node = new TestLogNode(_folder.Path)
        {
            Change = options => options with { FlushInterval = TimeSpan.FromMilliseconds(20) },
        };
        await node.StartAsync();

        await Eventually.UntilAsync(() => _database.Read(reader => reader.Count("find_run")) is 1);
    }

    private void Change(IndexRow[]? rows, int merged, bool isFailing)
    {
        if (rows is not null)
        {
            _merges.Add(_size, _size + rows.Length, rows.Order().ToArray());
        }

        if (merged % 4 is 1)
        {
            _merges.WorkQuietly(merged);
        }

        _merges.Work(merged);
        if (isFailing)
        {
            throw new IOException("The disk is full.");
        }
    }

    /// <summary>Rows of new entries, whose prefixes have so many random bits.</summary>
    private IndexRow[] Rows(Random random, int count, int bits) => [.. Enumerable.Range(0, count).Select(i =>
        new IndexRow(bits is 0 ? 0 : random.NextInt64(long.MinValue, long.MaxValue) >> (64 - bits), _size + i))];

    private void AssertFound(Random random) => _database.Read(reader =>
    {
        foreach (var prefix in _rows.Count is 0 ? [5L] : random.GetItems(_rows.ToArray(), 20).Select(row => row.Prefix).Append(5L))
        {
            Assert.True(_rows.Where(row => row.Prefix == prefix).Select(row => row.Index)
                .SequenceEqual(reader.FindFiled(prefix).Order()));
        }

        Assert.True(_rows.Order().SequenceEqual(reader.AllInRuns().Order()));
        return true;
    });
}
