using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.Publisher.Tests;

public sealed class SpoolTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-spool-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_job_reads_as_it_was_written()
    {
        var (derivation, first, second) = (TestOutput.PathOf("x.drv"), TestOutput.PathOf("x"), TestOutput.PathOf("x-dev"));
        foreach (var outputs in new[] { [], new[] { first }, [first, second] })
        {
            var job = new SpoolJob("1-2-x", default, derivation, outputs);

            Assert.True(SpoolJob.TryParse(job.Id, default, job.ToString(), out var read, out var error), error);
            Assert.Equal((job.Id, derivation), (read.Id, read.Derivation));
            Assert.Equal(outputs, read.Outputs);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("DRV")]
    [InlineData("DRV\n")]
    [InlineData("DRV\nOUT")]
    [InlineData("DRV\nOUT\n\n")]
    [InlineData("DRV\nOUT\nOUT\n")]
    [InlineData("DRV\nOUT /etc/passwd\n")]
    [InlineData("DRV\nOUT --option\n")]
    [InlineData("DRV\nOUT\tOUT\n")]
    [InlineData("/nix/store/../../etc/shadow\nOUT\n")]
    [InlineData("\0DRV\nOUT\n")]
    public void What_is_no_job_is_not_read_as_one(string text)
    {
        var file = text.Replace("DRV", TestOutput.PathOf("x.drv").Absolute).Replace("OUT", TestOutput.PathOf("x").Absolute);

        Assert.False(SpoolJob.TryParse("id", default, file, out _, out var error));
        Assert.NotEmpty(error);
    }

    [Fact]
    public void It_is_made_for_its_owner_alone_and_held_by_one_process()
    {
        var directory = Path.Combine(_directory, "new");
        using var spool = Spool.Open(directory);
        Spool.Write(directory, Job("1"));

        var second = Assert.Throws<IOException>(() => Spool.Open(directory));

        Assert.Equal(Private, File.GetUnixFileMode(directory));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(directory, "1.job")));
        Assert.Contains($"spoolDirectory is '{directory}', which another trustix-proxy publish uses", second.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Jobs_come_oldest_first()
    {
        using var spool = Spool.Open(_directory);
        foreach (var (id, age) in new[] { ("2", 30), ("10", 10), ("3", 20) })
        {
            Spool.Write(_directory, Job(id));
            File.SetLastWriteTimeUtc(Path.Combine(_directory, $"{id}.job"), DateTime.UnixEpoch.AddDays(1).AddSeconds(-age));
        }

        Assert.Equal(["2", "3", "10"], spool.Jobs());
    }

    [Fact]
    public void Removing_a_job_removes_all_its_files_links_to_directories_too_and_no_others()
    {
        using var spool = Spool.Open(_directory);
        var target = Directory.CreateDirectory(Path.Combine(_directory, "target")).FullName;
        foreach (var id in new[] { "1", "10" })
        {
            Spool.Write(_directory, Job(id));
            spool.Describe(Job(id), []);
            File.CreateSymbolicLink(Path.Combine(_directory, $"{id}.root-x"), target);
            File.CreateSymbolicLink(Path.Combine(_directory, $"{id}.root-y"), "/nowhere");
        }

        spool.Remove(["1"]);

        Assert.Equal(["10.info", "10.job", "10.root-x", "10.root-y", "lock", "target"],
            Directory.GetFileSystemEntries(_directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(Directory.Exists(target));
    }

    [Fact]
    public void What_is_no_job_is_put_aside_with_the_reason_and_a_thousand_of_them_at_most()
    {
        using var spool = Spool.Open(_directory);
        File.WriteAllText(Path.Combine(_directory, "bad.job"), "nonsense");
        spool.Reject("bad", "is nonsense");
        for (var i = 1; i < 1000; i++)
        {
            File.WriteAllText(Path.Combine(_directory, "rejected", $"{i}.job"), "");
        }

        File.WriteAllText(Path.Combine(_directory, "late.job"), "nonsense");
        spool.Reject("late", "is nonsense");

        Assert.Equal("is nonsense\n", File.ReadAllText(Path.Combine(_directory, "rejected", "bad.reason")));
        Assert.Equal("nonsense", File.ReadAllText(Path.Combine(_directory, "rejected", "bad.job")));
        Assert.False(File.Exists(Path.Combine(_directory, "rejected", "late.job")));
        Assert.Empty(spool.Jobs());
    }

    [Fact]
    public void What_a_hook_left_half_done_goes_after_an_hour_and_nothing_else_does()
    {
        using var spool = Spool.Open(_directory);
        Spool.Write(_directory, Job("job"));
        foreach (var name in new[] { "job.info", "old.tmp", "old.root-x", "young.info" })
        {
            File.WriteAllText(Path.Combine(_directory, name), "");
        }

        foreach (var old in new[] { "lock", "job.job", "job.info", "old.tmp", "old.root-x" })
        {
            File.SetLastWriteTimeUtc(Path.Combine(_directory, old), DateTime.UtcNow.AddHours(-2));
        }

        spool.Sweep(DateTimeOffset.UtcNow);

        Assert.Equal(["job.info", "job.job", "lock", "young.info"],
            Directory.GetFiles(_directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("", "", true)]
    [InlineData("hello*", "", true)]
    [InlineData("hello", "", false)]
    [InlineData("hello-2.1?.1", "", true)]
    [InlineData("*-2.12.1", "", true)]
    [InlineData("HELLO*", "", false)]
    [InlineData("other*,*llo*", "", true)]
    [InlineData("*", "hello*", false)]
    [InlineData("", "*secret*", true)]
    [InlineData("", "*", false)]
    public void Names_are_admitted_by_globs_over_the_part_after_the_digest(string include, string exclude, bool isAdmitted)
    {
        var filter = new NameFilter(
            [.. include.Split(',', StringSplitOptions.RemoveEmptyEntries)], [.. exclude.Split(',', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Equal(isAdmitted, filter.Admits(TestOutput.PathOf("hello-2.12.1")));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("a/b", false)]
    [InlineData("a b", false)]
    [InlineData("[ab]", false)]
    [InlineData("*", true)]
    [InlineData("a?+-._=*9", true)]
    public void A_glob_that_matches_no_name_is_none(string glob, bool isGlob) => Assert.Equal(isGlob, NameGlob.IsGlob(glob));

    private static SpoolJob Job(string id) => new(id, default, TestOutput.PathOf("x.drv"), [TestOutput.PathOf("x")]);
}
