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
    public void They_go_although_each_step_is_taken_by_a_program_that_has_just_started()
    {
        var isMore = true;
        while (isMore)
        {
            using var garbage = new MapGarbage(_database.Writer, Small);
            isMore = Reclaim(garbage) && Reclaim(garbage);
            AssertNoFaults();
        }

        AssertOnlyNewest();
    }

    [Fact]
    public void They_go_although_the_disk_is_full_at_every_second_step()
    {
        using var garbage = new MapGarbage(_database.Writer, Small);
        while (garbage.HasAny(long.MaxValue, Heads))
        {
            Assert.Throws<IOException>(() => _transactions.Run(() =>
            {
                garbage.Reclaim(long.MaxValue, Heads);
                throw new IOException("no space left on device");
            }));
            garbage.Forget();
            AssertNoFaults();
            Reclaim(garbage);
            Reclaim(garbage);
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

        Assert.Equal(1, ReclaimAll(garbage));

        AssertOnlyNewest();
    }

    /// <summary>Returns the number of steps.</summary>
    private int ReclaimAll(MapGarbage garbage, long visible = Heads)
    {
        var steps = 0;
        for (; Reclaim(garbage, visible); steps++)
        {
            AssertNoFaults();
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
