using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Tests.Archive;

/// <summary>A check and an export that were killed (SIGKILL) go on where they were.</summary>
public sealed class InterruptedTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly byte[] _seed = RandomNumberGenerator.GetBytes(32);

    private string LogFile => Path.Combine(_folder.Path, "test.sqlite");

    private string Scratch => LogFile + ".fsck";

    private string Static => Path.Combine(_folder.Path, "static");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_check_that_was_killed_goes_on_while_the_log_grows_and_leaves_nothing()
    {
        var signer = Fill(0, 9000);
        Kill("fsck", times: 12);
        Fill(9000, 9600);
        Kill("fsck", times: 16);
        long before = 0;
        var shares = new List<double>();

        var (entries, heads, faults) = LogCheck.Run(LogFile, signer.Key, shares.Add, resumed => before = resumed, mostPages: 50);

        Assert.Equal((9600, 33, 0), (entries, heads, faults.Count));
        Assert.InRange(before, 7500, 9599); // the first was killed at head 12, the second 16 heads later
        Assert.True(shares[0] > 0.7);
        Assert.Equal(shares.Order(), shares);
        Assert.False(File.Exists(Scratch));
    }

    [Theory]
    [InlineData("UPDATE map_page SET page = x'00000000' WHERE number = (SELECT root FROM map ORDER BY head DESC LIMIT 1)", "holds leaves")]
    [InlineData("DELETE FROM map_page WHERE number = (SELECT max(number) - 40 FROM map_page)", "is missing")]
    [InlineData("INSERT INTO map_garbage SELECT 3, replaced FROM map ORDER BY head DESC LIMIT 1",
        "the list of pages to delete for head 3 has pages that a stored map needs")]
    [InlineData("UPDATE entry SET value = 'x' WHERE idx = 8990", "log root")]
    [InlineData("UPDATE find_run SET last = last - 1", "the index has rows that no entry has")]
    [InlineData("DELETE FROM find_block WHERE id = (SELECT min(id) FROM find_block)", "is not indexed under its lookup digests")]
    [InlineData("UPDATE hash_tile SET hashes = zeroblob(512) WHERE number = (1 << 60) + (13 << 56) + 1", "tile 2/1 of the Log tree")]
    public void A_check_that_goes_on_finds_what_is_wrong_with_the_rest(string damage, string word)
    {
        var signer = Fill(0, 9000, isIndexed: true);
        Kill("fsck", times: 12);
        using (var database = LogDatabase.OpenToWrite(LogFile))
        {
            using var command = database.Writer.CreateCommand();
            command.CommandText = damage;
            Assert.NotEqual(0, command.ExecuteNonQuery());
        }

        long before = 0;
        var faults = LogCheck.Run(LogFile, signer.Key, null, resumed => before = resumed, mostPages: 50).Faults;

        Assert.NotEqual(0, before);
        Assert.Contains(faults, fault => fault.Contains(word, StringComparison.Ordinal));
        Assert.False(File.Exists(Scratch));
    }

    [Fact]
    public void What_was_checked_of_another_log_or_by_a_check_at_work_is_not_used()
    {
        var signer = Fill(0, 3000);
        Kill("fsck", times: 4);
        File.Delete(LogFile);
        Fill(1, 3001);

        Assert.Equal((3000, 0), LogCheck.Run(LogFile, signer.Key, null, _ => Assert.Fail("It is another log."), mostPages: 50)
            is var (entries, _, faults) ? (entries, faults.Count) : default);

        Kill("fsck", times: 4);
        var isRefused = false;
        LogCheck.Run(LogFile, signer.Key, _ => isRefused = isRefused || Assert.Throws<IOException>(() => LogCheck.Run(LogFile, signer.Key))
            .Message.Contains("check that is at work", StringComparison.Ordinal), null, mostPages: 50);
        Assert.True(isRefused);
    }

    [Fact]
    public void An_export_that_was_killed_goes_on_and_is_imported_whole()
    {
        var signer = Fill(0, 9000);
        var counts = new List<int>();
        for (var kill = 0; kill < 3; kill++)
        {
            Kill("export", times: 20);
            counts.Add(Directory.GetFiles(Static, "*", SearchOption.AllDirectories).Count(file => Path.GetExtension(file) is not ".part"));
        }

        var shares = new List<double>();
        Assert.Equal(9000, LogExport.Run(LogFile, signer, Static, "log.example/x", shares.Add).Entries);

        Assert.Equal(counts.Order().Distinct(), counts); // each went on after the one before
        Assert.Equal(1, shares[^1]);
        var state = Directory.CreateDirectory(Path.Combine(_folder.Path, "imported")).FullName;
        Assert.Equal((9000, 31), LogImport.Run(Static, signer, state, "test", "log.example/x"));
        Assert.Empty(LogCheck.Run(Path.Combine(state, "test.sqlite"), signer.Key).Faults);
    }

    /// <summary>Writes entries, 300 under each head.</summary>
    /// <param name="isIndexed">Whether their rows of the index are written at once, and not only when they are many.</param>
    private LogSigner Fill(int from, int to, bool isIndexed = false)
    {
        var signer = new LogSigner(_seed);
        using var database = LogDatabase.OpenToWrite(LogFile);
        using (var writer = new LogWriter(database, signer, TimeProvider.System))
        {
            writer.Begin();
            foreach (var batch in Enumerable.Range(from, to - from).Select(i =>
                new Entry(Encoding.ASCII.GetBytes(TestOutput.PathOf($"p{i}").Absolute), BitConverter.GetBytes(i))).Chunk(300))
            {
                writer.Sequence(batch);
            }
        }

        if (isIndexed)
        {
            using var merges = new IndexMerges(database.Writer);
            merges.Add(from, to, database.Recent.Sorted());
        }

        return signer;
    }

    /// <summary>Has a process of its own killed when it has told how far it is so many times.</summary>
    private void Kill(string verb, int times)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory,
            "TrustixProxy.CrashingNode.dll"), verb, LogFile, Convert.ToHexString(_seed), $"{times}", Static]))!;
        process.WaitForExit();
        Assert.Equal(137, process.ExitCode);
    }
}
