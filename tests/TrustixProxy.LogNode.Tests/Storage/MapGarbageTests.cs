using Microsoft.Data.Sqlite;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Tests.Storage;

/// <summary>Old versions of a log's map go in many small steps, with a check of the whole file between any two.</summary>
public sealed class MapGarbageTests : IDisposable
{
    private const int Heads = 12;

    private static readonly GarbageSteps Small = new(Versions: 3, Pages: 7, Listed: 40, InMemory: 16);

    private readonly TestFolder _folder = new();
    private readonly LogSigner _signer = new(NixSecretKey.Generate("x").Key);
    private readonly LogDatabase _database;
    private readonly Transactions _transactions;

    public MapGarbageTests()
    {
        _database = LogDatabase.OpenToWrite(File);
        _transactions = new Transactions(_database.Writer);
        using var writer = new LogWriter(_database, _signer, TimeProvider.System);
        writer.Begin();
        for (var head = 1; head < Heads; head++)
        {
            writer.Sequence([.. Enumerable.Range(head * 100, 20).Select(i => new Entry(BitConverter.GetBytes(i), [1]))]);
        }
    }

    private string File => Path.Combine(_folder.Path, "log.sqlite");

    public void Dispose()
    {
        _transactions.Dispose();
        _database.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void They_go_step_by_step_and_between_any_two_steps_no_fault_is_found()
    {
        using var garbage = new MapGarbage(_database.Writer, Small);

        Assert.InRange(ReclaimAll(garbage), 15, 1000);

        AssertOnlyNewest();
    }

    [Fact]
    public void They_go_although_the_program_starts_again_after_every_few_steps()
    {
        const int Few = 20;
        for (var isMore = true; isMore;)
        {
            using var garbage = new MapGarbage(_database.Writer, Small);
            isMore = Enumerable.Range(0, Few).All(_ => Reclaim(garbage));
            AssertNoFaults();
        }

        AssertOnlyNewest();
    }

    [Fact]
    public void After_a_start_a_step_passes_no_more_than_some_of_the_pages_that_are_gone()
    {
        var steps = Small with { Versions = 100, Pages = 4, Listed = 10_000, InMemory = 1000 };
        using (var garbage = new MapGarbage(_database.Writer, steps))
        {
            Assert.All(Enumerable.Range(0, 15), _ => Assert.True(Reclaim(garbage)));
        }

        using var next = new MapGarbage(_database.Writer, steps);
        var before = Count("map_page");
        Reclaim(next);
        Assert.Equal(before, Count("map_page"));
        ReclaimAll(next);
        AssertOnlyNewest();
    }

    [Fact]
    public void They_go_although_the_disk_is_full_at_every_second_step()
    {
        var isFull = false;
        using var writer = new LogWriter(_database, _signer, TimeProvider.System, steps: Small, reached: phase =>
        {
            if (phase is WritePhase.Reclaim && (isFull = !isFull))
            {
                throw new IOException("no space left on device");
            }
        });
        for (var isMore = true; isMore;)
        {
            try
            {
                isMore = writer.Reclaim(TimeSpan.FromDays(-1), isQuiet: false); // as if the newest head were a day old
            }
            catch (IOException)
            {
                AssertNoFaults();
            }
        }

        AssertOnlyNewest();
    }

    [Fact]
    public void The_version_that_readers_see_and_all_later_ones_stay()
    {
        using var garbage = new MapGarbage(_database.Writer, Small);

        ReclaimAll(garbage, visible: 5);

        Assert.Equal(5, _database.Read(reader => reader.OldestMap()));
        Assert.Equal(Heads - 4, Count("map"));
        AssertNoFaults();
    }

    [Fact]
    public void Few_of_them_go_in_one_transaction()
    {
        using var garbage = new MapGarbage(_database.Writer, GarbageSteps.Default);

        Assert.Equal(1, ReclaimAll(garbage, most: GarbageSteps.Default.Pages));

        AssertOnlyNewest();
    }

    /// <summary>Returns the number of steps. None deletes more than twice as many pages as it should.</summary>
    private int ReclaimAll(MapGarbage garbage, long visible = Heads, int most = 7)
    {
        var steps = 0;
        for (var before = Count("map_page"); Reclaim(garbage, visible); steps++)
        {
            AssertNoFaults();
            var now = Count("map_page");
            Assert.InRange(before - now, 0, 2 * most);
            before = now;
        }

        return steps;
    }

    private bool Reclaim(MapGarbage garbage, long visible = Heads)
    {
        if (!garbage.HasAny(long.MaxValue, visible))
        {
            return false;
        }

        _transactions.Run(() => garbage.Reclaim(long.MaxValue, visible));
        return true;
    }

    private void AssertOnlyNewest()
    {
        AssertNoFaults(); // which includes that no page is there that the newest map does not need, and that none is missing
        Assert.Equal((1, 0), (Count("map"), Count("map_garbage")));
    }

    private void AssertNoFaults() => Assert.Empty(LogCheck.Run(File, _signer.Key).Faults);

    private long Count(string table)
    {
        using var command = new SqliteCommand($"SELECT count(*) FROM {table}", _database.Writer);
        return (long)command.ExecuteScalar()!;
    }
}
