using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Publisher.Tests;

public sealed class GuixBuildsTests : IDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, 700, TimeSpan.Zero);

    private readonly GuixMachine _machine = new();
    private readonly string _spool = Directory.CreateTempSubdirectory("trustix-spool-").FullName;

    public void Dispose()
    {
        _machine.Dispose();
        Directory.Delete(_spool, recursive: true);
    }

    [Fact]
    public void What_was_built_is_queued_with_its_hash_size_and_references()
    {
        var libc = _machine.Build("libc-2.41", Noon);
        Poll(); // a first start
        var hello = _machine.Build("hello-2.12.2", Noon.AddMinutes(1), libc.Path);

        Assert.Equal(1, Poll());

        Assert.Equal([hello.Value], Queued());
        Assert.Equal(0, Poll());
    }

    [Fact]
    public async Task A_database_that_the_daemon_has_locked_is_waited_for()
    {
        _machine.Run("PRAGMA journal_mode = DELETE");
        _machine.Run("BEGIN EXCLUSIVE");
        var polling = Task.Run(Poll);

        Assert.NotSame(polling, await Task.WhenAny(polling, Task.Delay(200)));
        _machine.Run("COMMIT");

        Assert.Equal(0, await polling);
    }

    [Fact]
    public void Builds_before_the_first_start_are_not_published()
    {
        _machine.Build("old-1.0", Noon);

        Assert.Equal(0, Poll());
        Assert.Equal(0, Poll());
    }

    [Fact]
    public void Sources_derivations_and_substituted_paths_are_not_queued()
    {
        Poll();
        _machine.Register(GuixMachine.PathOf("source.tar.gz"), Noon, null);
        _machine.Register(GuixMachine.PathOf("hello-1.0.drv"), Noon, null);
        _machine.Register(GuixMachine.PathOf("substituted-1.0"), Noon, GuixMachine.PathOf("substituted-1.0.drv"));

        Assert.Equal(0, Poll());
    }

    [Theory]
    [InlineData(-1, 1000, false)] // registered before the build ended: it is no output of this build
    [InlineData(0, 1000, true)]
    [InlineData(4, 1000, true)]
    [InlineData(7, 1000, false)]
    [InlineData(30, 1000_000_000, true)] // the daemon hashes a large output before it registers it
    [InlineData(117, 1000_000_000, false)]
    public void A_build_log_justifies_what_is_registered_soon_after_it(int seconds, long size, bool isBuilt)
    {
        Poll();
        var deriver = GuixMachine.PathOf("big-1.0.drv");
        _machine.Log(deriver, Noon, ".bz2");
        _machine.Register(GuixMachine.PathOf("big-1.0"), Noon.AddSeconds(seconds), deriver, size);

        Assert.Equal(isBuilt ? 1 : 0, Poll());
    }

    [Fact]
    public void A_path_that_is_collected_and_substituted_soon_after_its_build_is_published_once()
    {
        Poll();
        var built = _machine.Build("hello-1.0", Noon);
        Assert.Equal(1, Poll());
        _machine.Collect(built.Path);
        _machine.Register(built.Path, Noon.AddSeconds(3), _machine.Deriver);

        Assert.Equal(0, Poll());
        Assert.Equal([built.Value], Queued());
    }

    [Fact]
    public void A_path_that_is_built_again_is_queued_again()
    {
        Poll();
        var deriver = GuixMachine.PathOf("again-1.0.drv");
        var path = GuixMachine.PathOf("again-1.0");
        _machine.Log(deriver, Noon);
        _machine.Register(path, Noon.AddSeconds(1), deriver);
        Assert.Equal(1, Poll());
        _machine.Collect(path);
        _machine.Log(deriver, Noon.AddMinutes(5));
        _machine.Register(path, Noon.AddMinutes(5).AddSeconds(1), deriver);

        Assert.Equal(1, Poll());
    }

    [Fact]
    public void Another_database_with_smaller_ids_is_followed()
    {
        _machine.Run("INSERT INTO sqlite_sequence (name, seq) VALUES ('ValidPaths', 5000)");
        _machine.Build("old-1.0", Noon);
        Poll();
        _machine.Run("DELETE FROM ValidPaths");
        _machine.Run("UPDATE sqlite_sequence SET seq = 0");
        Assert.Equal(0, Poll());

        _machine.Build("new-1.0", Noon.AddMinutes(1));

        Assert.Equal(1, Poll());
    }

    [Theory]
    [InlineData("")]
    [InlineData("x\n")]
    [InlineData("7\nhello 1\n")]
    [InlineData("-7\n")]
    [InlineData("7\ns66mzxpvicwk07gjbjfw9izjfa797vsw-hello 99999999999999999999\n")]
    public void A_damaged_cursor_is_named_with_its_remedy(string text)
    {
        var cursor = Path.Combine(_spool, "guix-cursor");
        File.WriteAllText(cursor, text);

        var fault = Assert.Throws<IOException>(() => Poll());

        Assert.Contains($"{cursor} is damaged. Remove it", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UPDATE ValidPaths SET path = '/gnu/store/no-path'")]
    [InlineData("UPDATE ValidPaths SET hash = 'sha512:00'")]
    [InlineData("UPDATE ValidPaths SET deriver = '/elsewhere/x.drv'")]
    public void A_row_that_is_not_understood_does_not_hold_up_the_next(string damage)
    {
        Poll();
        _machine.Build("odd-1.0", Noon);
        _machine.Run(damage);
        var built = _machine.Build("good-1.0", Noon);

        Assert.Equal(1, Poll());
        Assert.Equal([built.Value], Queued());
    }

    [Fact]
    public void A_full_spool_loses_nothing()
    {
        Poll();
        for (var i = 0; i < Spool.MaxJobs; i++)
        {
            File.WriteAllText(Path.Combine(_spool, $"{i}.job"), "");
        }

        var built = _machine.Build("late-1.0", Noon);
        Assert.Throws<IOException>(() => Poll());
        File.Delete(Path.Combine(_spool, "0.job"));

        Assert.Equal(1, Poll());
        Assert.Equal([built.Value], Queued());
    }

    [Fact]
    public void A_missing_database_is_named()
    {
        var nowhere = new GuixStore(Path.Combine(_spool, "nowhere"));

        var fault = Assert.Throws<NixException>(() => new GuixBuilds(nowhere, _spool, NullLogger.Instance).Poll());

        Assert.Contains($"{_spool}/nowhere/db/db.sqlite does not exist", fault.Message, StringComparison.Ordinal);
        Assert.Equal(fault.Message, nowhere.Fault);
    }

    private int Poll() => new GuixBuilds(_machine.Store, _spool, NullLogger.Instance).Poll();

    private List<byte[]> Queued()
    {
        using var spool = Spool.Open(_spool);
        var found = new List<byte[]>();
        foreach (var id in spool.Jobs().Where(id => id.StartsWith("guix-", StringComparison.Ordinal)))
        {
            Assert.True(spool.TryRead(id, out var job, out var error), error);
            Assert.True(spool.TryReadDescription(job, out var described));
            var output = Assert.Single(described);
            Assert.True(output.IsBuiltHere);
            found.Add(output.Statement.Value);
        }

        return found;
    }
}
