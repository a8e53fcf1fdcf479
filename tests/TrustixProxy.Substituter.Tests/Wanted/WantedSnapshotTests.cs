using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Wanted;
using TrustixProxy.Testing;
using static TrustixProxy.Substituter.Tests.Wanted.WantedTableTests;

namespace TrustixProxy.Substituter.Tests.Wanted;

/// <summary>The snapshot gives back what was written, and nothing else.</summary>
public sealed class WantedSnapshotTests : IDisposable
{
    private readonly ManualTime _clock = new();
    private readonly NixSecretKey _key = NixSecretKey.Generate("proxy-1");
    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-wanted-").FullName;

    private string File => Path.Combine(_directory, "wanted");

    [Fact]
    public void What_was_written_is_read_and_its_clients_still_count_once()
    {
        var wanted = new WantedPath(
            TestOutput.PathOf("hello"), WantedReason.TieBreak, ["alice", "bob"], [TestOutput.PathOf("hello.drv")]);
        var table = new WantedTable([1], _clock);
        table.Ask(wanted, Client("10.0.0.1"));
        table.Ask(wanted, Client("10.0.0.2"));
        Snapshot(_key).Write(table.Rows);

        var read = new WantedTable([1], _clock);
        read.Restore(Snapshot(_key).Read(out var fault));
        read.Ask(wanted, Client("10.0.0.2"));

        var row = Assert.Single(read.Rows);
        Assert.Null(fault);
        Assert.True(row.Wanted.IsSame(wanted));
        Assert.Equal((2, _clock.Now), (row.Clients.Count, row.AskedAt));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File));
        Assert.Equal([File], Directory.GetFiles(_directory));
    }

    [Fact]
    public void Any_changed_byte_and_any_end_too_early_is_found()
    {
        var table = new WantedTable([1], _clock);
        table.Ask(Lacking("hello"), Client("10.0.0.1"));
        Snapshot(_key).Write(table.Rows);
        var whole = System.IO.File.ReadAllBytes(File);

        for (var i = 0; i < whole.Length; i++)
        {
            byte[] changed = [.. whole];
            changed[i] ^= 1;
            Assert.NotNull(FaultOf(changed));
            Assert.NotNull(FaultOf(whole[..i]));
        }

        Assert.Null(FaultOf(whole));
        Assert.Empty(Snapshot(NixSecretKey.Generate("other-1")).Read(out var foreign));
        Assert.Equal("it does not have our seal", foreign);
    }

    [Fact]
    public void Without_a_file_there_is_nothing_and_no_fault()
    {
        Assert.Empty(Snapshot(_key).Read(out var fault));
        Assert.Null(fault);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string? FaultOf(byte[] bytes)
    {
        System.IO.File.WriteAllBytes(File, bytes);
        Assert.Equal(Snapshot(_key).Read(out var fault).Count is 0, fault is not null);
        return fault;
    }

    private WantedSnapshot Snapshot(NixSecretKey key) => new(File, new RecordSeal(key, []));
}
