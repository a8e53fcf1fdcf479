using System.Diagnostics;
using System.Text;
using Microsoft.Data.Sqlite;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.Testing;

namespace TrustixProxy.LogNode.Tests.Archive;

[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "xunit disposes it through IAsyncLifetime")]
public sealed class ArchiveTests : IAsyncLifetime
{
    private static readonly byte[][] Keys = [
        .. Enumerable.Range(0, 10_000).Select(i => Encoding.ASCII.GetBytes(TestOutput.PathOf($"p{i}").Absolute))];

    private readonly TestLogNode _node = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-archive-").FullName;

    private string LogFile => Path.Combine(_node.StateDirectory, "test.sqlite");

    private string Static => Path.Combine(_folder, "static");

    private string Imported => Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "imported")).FullName, "test.sqlite");

    /// <summary>600 entries under 5 heads, and a conflict.</summary>
    public async Task InitializeAsync()
    {
        await _node.StartAsync();
        foreach (var part in Enumerable.Range(0, 600).Chunk(150))
        {
            await _node.SubmitAsync([.. part.Select(i => (Key(i), Encoding.ASCII.GetBytes($"value {i}")))]);
        }

        await _node.SubmitAsync((Key(3), "another"u8.ToArray()));
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_good_log_has_no_faults_while_its_node_runs()
    {
        Assert.Equal((600L, 5L, 0), Check(LogFile));
    }

    [Theory]
    [InlineData("UPDATE entry SET value = 'x' WHERE idx = 17", "log root", "map root")]
    [InlineData("UPDATE entry SET key = 'x' WHERE idx = 599", "log root")]
    [InlineData("DELETE FROM entry WHERE idx = 0", "entry 0 is missing")]
    [InlineData("UPDATE indexed SET size = 600", "entry 5 is not indexed under its lookup digests")]
    [InlineData("INSERT INTO entry VALUES (600, 'k', 'v')", "601 entries")]
    [InlineData("UPDATE hash_tile SET hashes = zeroblob(512) WHERE number = (1 << 60) + (15 << 56) + 3", "tile 0/3 of the Log tree")]
    [InlineData("DELETE FROM hash_tile WHERE number < 1 << 60", "tile 0/0 of the MapHeads tree")]
    [InlineData("UPDATE head SET head = (SELECT head FROM head WHERE mh_size = 2) WHERE mh_size = 3", "head 3 says the map-head size is 2")]
    [InlineData("UPDATE head SET head = substr(head, 1, length(head) - 1) || x'FF' WHERE mh_size = 4", "head 4: Signature is wrong")]
    [InlineData("DELETE FROM head WHERE mh_size = 2", "head 2 is missing")]
    [InlineData("UPDATE map_page SET page = x'00000000' WHERE number = (SELECT root FROM map WHERE head = 5)",
        "holds leaves that do not match the entries")]
    [InlineData("DELETE FROM map_page WHERE number = 1", "map page 1 is missing")]
    [InlineData("DELETE FROM map_page WHERE number = (SELECT root FROM map WHERE head = 3)", "is missing")]
    [InlineData("INSERT INTO map_page VALUES (99999, x'00000000')", "map page 99999 belongs to no stored map")]
    [InlineData("UPDATE map SET root = 1 WHERE head = 4", "the map of head 4 has pages that do not match")]
    [InlineData("UPDATE map SET replaced = x'' WHERE head = 4", "the map of head 4 has pages that do not match")]
    [InlineData("DELETE FROM map WHERE head = 4", "the map of head 4 is missing")]
    [InlineData("INSERT INTO map_garbage SELECT head, replaced FROM map WHERE head = 4",
        "the list of pages to delete for head 4 has pages that a stored map needs")]
    [InlineData("DELETE FROM map WHERE head < 3; INSERT INTO map_garbage VALUES (2, x'0100000000000000')",
        "the list of pages to delete for head 2 does not match the entries")]
    [InlineData("INSERT INTO map_garbage SELECT 0, replaced FROM map WHERE head = 4",
        "the list of pages to delete for head 0 has pages that a stored map needs")]
    [InlineData("INSERT INTO map_garbage VALUES (99, x'')", "the list of pages to delete for head 99 belongs to no stored head")]
    [InlineData("UPDATE conflict SET value = 'x'", "conflict 0, with entry 3: its signature")]
    [InlineData("UPDATE conflict SET digest = x'00'", "conflict 0 is indexed under a digest other than its value's")]
    [InlineData("UPDATE map SET prefix = 5 WHERE head = 3", "the map of head 3 is indexed under a map root or time")]
    [InlineData("UPDATE map SET signed_at = 5 WHERE head = 4", "the map of head 4 is indexed under a map root or time")]
    [InlineData("UPDATE map SET head = 7 WHERE head = 5", "the map of head 5 is missing", "the map of head 7 belongs to no stored head")]
    [InlineData("UPDATE conflict SET idx = 9999", "0 of which are with an entry that is there")]
    public async Task Damage_is_found_and_its_place_is_named(string damage, params string[] words)
    {
        await _node.StopAsync();
        using (var connection = new SqliteConnection($"Data Source={LogFile};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = damage;
            Assert.NotEqual(0, command.ExecuteNonQuery());
        }

        var faults = LogCheck.Run(LogFile, _node.Signer.Key).Faults;

        Assert.All(words, word => Assert.Contains(faults, fault => fault.Contains(word, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_was_exported_is_imported_to_the_byte_and_goes_on()
    {
        var head = await _node.HeadAsync();
        Assert.Equal(600, LogExport.Run(LogFile, _node.Signer, Static).Entries);
        Assert.Equal((600, 5), LogImport.Run(Static, _node.Signer, Path.GetDirectoryName(Imported)!, "test"));
        Assert.Equal((600, 5, 0), Check(Imported));

        await using var copy = await new TestLogNode(Path.GetDirectoryName(Imported), _node.Signer, _node.Token).StartAsync();
        Assert.Equal(head, await copy.HeadAsync());
        await copy.SubmitAsync((Key(9999), "more"u8.ToArray()));
        Assert.Equal((601, 6, 0), Check(Imported));
    }

    [Fact]
    public async Task A_log_without_entries_is_imported_too_and_waits_for_nothing()
    {
        await using var empty = await new TestLogNode().StartAsync();
        LogExport.Run(Path.Combine(empty.StateDirectory, "test.sqlite"), empty.Signer, Static);
        var timer = Stopwatch.StartNew();

        Assert.Equal((0, 1), LogImport.Run(Static, empty.Signer, Path.GetDirectoryName(Imported)!, "test"));
        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(25),
            $"{timer.Elapsed}: a connection that reads held up the last checkpoint for SQLite's 30 s");
    }

    [Fact]
    public async Task A_later_export_adds_files_and_changes_no_full_one()
    {
        LogExport.Run(LogFile, _node.Signer, Static);
        var before = Files();
        await _node.SubmitAsync([.. Enumerable.Range(600, 250).Select(i => (Key(i), Encoding.ASCII.GetBytes($"value {i}")))]);

        Assert.Equal(850, LogExport.Run(LogFile, _node.Signer, Static).Entries);
        var after = Files();
        Assert.All(before.Where(file => !file.Key.Contains(".p/", StringComparison.Ordinal) && file.Key is not "head"), file =>
            Assert.Equal(file.Value, after[file.Key]));
        Assert.Contains("tile/entries/002", after.Keys);
        Assert.DoesNotContain(after.Keys, file => file.StartsWith("tile/entries/002.p", StringComparison.Ordinal));
        Assert.Contains("tile/1/000.p/3", after.Keys);
        Assert.Equal((850, 6), LogImport.Run(Static, _node.Signer, Path.GetDirectoryName(Imported)!, "test"));
        Assert.Equal((850, 6, 0), Check(Imported));
        Assert.Equal(1, LogExport.Run(LogFile, _node.Signer, Static).Files); // nothing is new: the head alone is written again
    }

    [Theory]
    [InlineData("tile/entries/001")]
    [InlineData("tile/entries/002.p/88")]
    [InlineData("tile/heads/000.p/5")]
    [InlineData("tile/conflicts/000.p/1")]
    [InlineData("head")]
    public void No_byte_of_an_export_can_be_changed_or_be_missing(string file)
    {
        LogExport.Run(LogFile, _node.Signer, Static);
        var path = Path.Combine(Static, file);
        var good = File.ReadAllBytes(path);
        foreach (var at in new[] { 0, 1, good.Length / 2, good.Length - 12 }.Distinct())
        {
            File.WriteAllBytes(path, [.. good.Take(at), (byte)(good[at] ^ 1), .. good.Skip(at + 1)]);
            AssertRefused();
        }

        File.WriteAllBytes(path, good[..^1]);
        AssertRefused();
        File.Delete(path);
        if (file is not "tile/conflicts/000.p/1") // how many there are is not signed
        {
            Assert.ThrowsAny<IOException>(() => LogImport.Run(Static, _node.Signer, Path.GetDirectoryName(Imported)!, "test"));
        }
    }

    [Fact]
    public async Task A_folder_of_another_log_or_of_more_than_there_is_is_not_written_to()
    {
        LogExport.Run(LogFile, _node.Signer, Static);
        await using var other = await new TestLogNode().StartAsync();
        await using var old = await new TestLogNode(signer: _node.Signer).StartAsync();

        Assert.Throws<InvalidDataException>(
            () => LogExport.Run(Path.Combine(other.StateDirectory, "test.sqlite"), other.Signer, Static));
        Assert.Throws<InvalidDataException>(() => LogExport.Run(Path.Combine(old.StateDirectory, "test.sqlite"), old.Signer, Static));
    }

    [Fact]
    public void A_log_is_never_imported_over_another_or_beside_a_running_node()
    {
        LogExport.Run(LogFile, _node.Signer, Static);

        Assert.Throws<IOException>(() => LogImport.Run(Static, _node.Signer, _node.StateDirectory, "other"));
        LogImport.Run(Static, _node.Signer, Path.GetDirectoryName(Imported)!, "test");
        Assert.Throws<IOException>(() => LogImport.Run(Static, _node.Signer, Path.GetDirectoryName(Imported)!, "test"));
    }

    private (long Entries, long Heads, int Faults) Check(string file)
    {
        var (entries, heads, faults) = LogCheck.Run(file, _node.Signer.Key);
        return (entries, heads, faults.Count);
    }

    private void AssertRefused()
    {
        Assert.Throws<InvalidDataException>(() => LogImport.Run(Static, _node.Signer, Path.GetDirectoryName(Imported)!, "test"));
        Assert.False(File.Exists(Imported));
    }

    private Dictionary<string, string> Files() => Directory.GetFiles(Static, "*", SearchOption.AllDirectories)
        .ToDictionary(file => Path.GetRelativePath(Static, file), file =>
            Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file))));

    private static byte[] Key(int i) => Keys[i];
}
