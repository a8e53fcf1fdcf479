using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Testing;

namespace TrustixProxy.Logs.Tests.Evidence;

/// <summary>A proxy that is killed wherever the writing of a head can be, and one whose disk fails: no view is lost, none goes back, and no
/// frozen log is heard.</summary>
public sealed class ViewCrashTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-crash-").FullName;

    private readonly List<StateWriter> _states = [];

    private readonly ManualTime _time = new();

    /// <summary>After a second it is looked again who is frozen.</summary>
    private static TimeSpan LookedAtAgain => TimeSpan.FromSeconds(1.1);

    public void Dispose()
    {
        _states.ForEach(state => state.Dispose());
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task No_kill_loses_a_view_and_no_restart_takes_an_older_head()
    {
        await using var log = await FakeLog.StartAsync();
        Grow(log, 3);
        var kills = Enumerable.Range(0, 12).Select(i => ("instruction", 1 + (i * 9)))
            .Concat(new[] { 1, 2, 3 }.SelectMany(n => new[] { ("before-commit", n), ("after-commit", n), ("told", n) }));

        foreach (var (point, n) in kills)
        {
            log.Lie = LogLie.None;
            var told = await WatchUntilKilledAsync(log, point, n);
            using var views = new ViewStore(_directory);
            var kept = views.Load(log.Log.Signer.Key).View;

            Assert.True(told is 0 || kept?.Head.Content.TreeSize >= told,
                $"killed at {point} {n}: told {told}, kept {kept?.Head.Content.TreeSize}");
            Assert.True(kept is null || kept.Head.Content == log.Log.Heads[(int)kept.Head.Content.TreeSize].Content);
            if (kept is { Head.Content.TreeSize: > 0 })
            {
                log.Lie = LogLie.Rollback;
                Assert.Equal(SilenceReason.HeadOlder, await Watch(log, views).RefreshAsync());
                Assert.Equal(kept.Head.Content, views.Load(log.Log.Signer.Key).View!.Head.Content);
            }
        }
    }

    [Fact]
    public async Task A_disk_that_is_behind_sets_no_view_back_and_is_written_over_once_it_can_be()
    {
        await using var log = await FakeLog.StartAsync();
        Grow(log, 3);
        using var views = new ViewStore(_directory);
        var watch = Watch(log, views);
        await SeeOneMoreThanIsKeptAsync(log, watch);

        var (seen, kept) = (watch.Head!.Content.TreeSize, views.Load(log.Log.Signer.Key).View!.Head.Content.TreeSize);
        log.Show(log.Log.Fork(3));
        var older = await watch.RefreshAsync();
        log.Show(log.Log.Fork(0)); // another history from its beginning on
        Grow(log, 6);
        var forked = await watch.RefreshAsync();

        Assert.Equal((4, 3), (seen, kept));
        Assert.Equal((SilenceReason.HeadOlder, 4), (older, watch.Head!.Content.TreeSize));
        Assert.NotNull(forked);
    }

    [Fact]
    public async Task A_view_that_was_not_kept_is_kept_with_the_next()
    {
        await using var log = await FakeLog.StartAsync();
        Grow(log, 3);
        using var views = new ViewStore(_directory);
        var watch = Watch(log, views);
        await SeeOneMoreThanIsKeptAsync(log, watch);

        log.Publish(TestOutput.Make("two", 10).Statement);

        Assert.Null(await watch.RefreshAsync());
        Assert.Equal(5, views.Load(log.Log.Signer.Key).View!.Head.Content.TreeSize);
    }

    [Fact]
    public async Task A_disk_that_cannot_be_read_unfreezes_nobody()
    {
        await using var log = await FakeLog.StartAsync();
        Grow(log, 3);
        using var views = new ViewStore(_directory);
        var watch = Watch(log, views);
        Assert.Null(await watch.RefreshAsync());
        var fork = log.Log.Fork(1);
        fork.Add([1], [1]);
        fork.Add([2], [2]);
        Assert.True(await watch.HearAsync(fork.Head, "peer"));
        using (var other = Open())
        {
            Run(other, "ALTER TABLE log_view RENAME TO gone");
        }

        _time.Now += LookedAtAgain;

        Assert.True(watch.IsFrozen);
        Assert.Equal(SilenceReason.Frozen, (await watch.ViewAsync(TimeSpan.Zero, default)).Reason);
    }

    [Fact]
    public async Task Whoever_asks_once_a_log_is_unfrozen_hears_it_be_it_that_many_ask_at_one_moment()
    {
        await using var log = await FakeLog.StartAsync();
        Grow(log, 1);
        using var views = new ViewStore(_directory);
        var watch = Watch(log, views);
        using var start = new Barrier(8);
        var late = 0;

        for (var i = 0; i < 50; i++)
        {
            views.Freeze(log.Log.Head, [1]);
            _time.Now += LookedAtAgain;
            Assert.True(watch.IsFrozen);
            Assert.True(views.Unfreeze(watch.Key, "to be heard", _time.Now));
            _time.Now += LookedAtAgain;
            await Task.WhenAll(Enumerable.Range(0, start.ParticipantCount).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    Interlocked.Add(ref late, watch.IsFrozen ? 1 : 0);
                },
                default,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));
        }

        Assert.Equal(0, late);
    }

    private Microsoft.Data.Sqlite.SqliteConnection Open()
    {
        var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_directory}/state.sqlite;Pooling=false");
        connection.Open();
        return connection;
    }

    /// <summary>Sees the log's head, and the one after it while nothing can be written to the disk.</summary>
    private async Task SeeOneMoreThanIsKeptAsync(FakeLog log, WatchedLog watch)
    {
        Assert.Null(await watch.RefreshAsync());
        using var stuck = Open();
        Run(stuck, "BEGIN IMMEDIATE");
        log.Publish(TestOutput.Make("one", 10).Statement);
        Assert.Null(await watch.RefreshAsync());
    }

    private static void Run(Microsoft.Data.Sqlite.SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>The last size that was told before the process was killed; 0 when none was.</summary>
    private async Task<long> WatchUntilKilledAsync(FakeLog log, string point, int n)
    {
        using var process = Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "TrustixProxy.CrashingProxy.dll"), _directory, log.Url.ToString(),
                log.Log.Signer.Key.ToString(), point, n.ToString(CultureInfo.InvariantCulture)])
        { RedirectStandardOutput = true })!;
        var told = new ConcurrentStack<string>();
        var reading = Task.Run(async () =>
        {
            while (await process.StandardOutput.ReadLineAsync() is { } line)
            {
                told.Push(line);
                log.Publish(TestOutput.Make($"more-{told.Count}", 10).Statement); // each head that is asked for is a new one
            }
        });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(patience.Token);
        await reading;

        Assert.Equal(137, process.ExitCode);
        return told.TryPeek(out var last) ? long.Parse(last, CultureInfo.InvariantCulture) : 0;
    }

    private WatchedLog Watch(FakeLog log, ViewStore views)
    {
        var key = log.Log.Signer.Key;
        var state = new StateWriter(_directory);
        _states.Add(state);
        var faults = new LogFaultStore(
            new LogIdentity("log", key, log.Url), views, new LogRecords(state), _directory, _time, NullLogger.Instance);
        return new WatchedLog("log", key, new LogClient(new ConnectClient(LogTransport.Create(log.Url, network: null),
            TimeSpan.FromSeconds(10), TimeProvider.System), key.LogId, TimeProvider.System), views, faults, _time, NullLogger.Instance);
    }

    private static void Grow(FakeLog log, int entries)
    {
        for (var i = 0; i < entries; i++)
        {
            log.Log.Add(Encoding.ASCII.GetBytes($"key {i}"), Encoding.ASCII.GetBytes($"value {i}"));
        }
    }
}
