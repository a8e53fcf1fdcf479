using System.Text;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Tests.Archive;

/// <summary>A log with an origin is exported in version 2: C2SP's checkpoints and tiles, which its import checks file by file.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "xunit disposes it through IAsyncLifetime")]
public sealed class CheckpointExportTests : IAsyncLifetime
{
    private const string Origin = "log.example/nix";

    private readonly TestLogNode _node = new() { Origin = Origin };
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-archive-").FullName;

    private string Static => Path.Combine(_folder, "static");

    public async Task InitializeAsync() => await _node.StartAsync();

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(700)]
    public async Task Every_file_that_the_node_serves_is_exported_and_the_import_is_the_same_log(int count)
    {
        await FillAsync(0, count);

        Assert.Equal((count, 2), _node.Export(Static) is var done ? (done.Entries, done.Version) : default);
        foreach (var file in Files().Where(file => !IsOwn(file)))
        {
            Assert.Equal(await _node.Client.GetByteArrayAsync(new Uri($"{_node.PublicUrl}test/{file}")), Bytes(file));
        }

        Assert.Equal(
            ArchiveDescription.Of(_node.Signer.Key, Origin), ArchiveDescription.Decode(Bytes("log.json")));
        Assert.Equal(count, Checkpoint("checkpoint", Origin).Size);
        Assert.True(Checkpoint("mapheads/checkpoint", Origin + "/mapheads").Size > 0);
        Assert.Equal(count, Import().Entries);
        await using var copy = await new TestLogNode(Path.Combine(_folder, "imported"), _node.Signer, _node.Token) { Origin = Origin }
            .StartAsync();
        Assert.Equal(await _node.HeadAsync(), await copy.HeadAsync());
    }

    [Fact]
    public async Task No_byte_of_any_kind_of_file_can_be_changed_and_the_error_names_the_file()
    {
        await FillAsync(0, 700);
        await _node.SubmitAsync(Item(3) with { Value = "another"u8.ToArray() });
        _node.Export(Static);
        var files = Files();

        Assert.Superset(
            new HashSet<string>
            {
                "log.json", "head", "checkpoint", "mapheads/checkpoint", "tile/0/000", "tile/1/000.p/2", "tile/entries/002.p/188",
                "tile/values/001", "tile/heads/000.p/5", "tile/conflicts/000.p/1", "mapheads/tile/0/000.p/5",
                "mapheads/tile/entries/000.p/5",
            },
            files.ToHashSet());
        foreach (var file in files)
        {
            var good = Bytes(file);
            foreach (var at in new[] { good.Length / 3, good.Length - 20 })
            {
                File.WriteAllBytes(PathOf(file), [.. good[..at], (byte)(good[at] ^ 1), .. good[(at + 1)..]]);
                var fault = Assert.Throws<InvalidDataException>(() => Import());
                Assert.True(fault.Message.Contains(PathOf(file), StringComparison.Ordinal), $"{file}: {fault.Message}");
            }

            File.WriteAllBytes(PathOf(file), good);
        }

        Assert.Equal(700, Import().Entries);
    }

    [Fact]
    public async Task A_folder_of_version_1_goes_on_in_version_1_and_one_of_another_origin_is_refused()
    {
        await FillAsync(0, 300);
        LogExport.Run(LogFile, _node.Signer, Static);
        await FillAsync(300, 700);

        Assert.Equal(1, _node.Export(Static).Version);
        Assert.False(File.Exists(PathOf("checkpoint")));
        Assert.Equal(700, Import().Entries);

        var second = Path.Combine(_folder, "second");
        _node.Export(second);
        foreach (var origin in new[] { null, "other.example/nix" })
        {
            var fault = Assert.Throws<InvalidDataException>(() => LogExport.Run(LogFile, _node.Signer, second, origin));
            Assert.Contains($"{Path.Combine(second, "log.json")} names the origin '{Origin}'", fault.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>The folder holds, at each moment of the second export, what the first wrote and some of what the second wrote.</summary>
    [Fact]
    public async Task After_a_crash_at_any_moment_the_folder_is_readable_and_a_later_export_completes_it()
    {
        await FillAsync(0, 300);
        _node.Export(Static);
        var first = Files().ToDictionary(file => file, Bytes);
        await FillAsync(300, 700);
        _node.Export(Static);
        var second = Files().ToDictionary(file => file, Bytes);
        var written = second.Keys.Where(file => !first.TryGetValue(file, out var old) || !old.AsSpan().SequenceEqual(second[file]))
            .OrderBy(RankOf).ToList();

        Directory.Delete(Static, recursive: true);
        first.ToList().ForEach(file => Put(file.Key, file.Value));
        foreach (var file in written)
        {
            Put(file, second[file]);
            Assert.Equal(RankOf(file) < RankOf("head") ? 300 : 700, Import().Entries);
        }

        File.Delete(PathOf("tile/values/001"));
        Put("checkpoint", first["checkpoint"]);
        _node.Export(Static);
        Assert.Equal(second.Keys.Where(file => !first.ContainsKey(file) || !IsPartial(file)).Order(), Files().Order());
        Assert.Equal(700, Import().Entries);
    }

    [Fact]
    public async Task Partial_files_of_the_last_export_but_one_are_deleted()
    {
        foreach (var size in new[] { 10, 20, 30 })
        {
            await FillAsync(size - 10, size);
            _node.Export(Static);
        }

        var widths = Files().Where(file => file.StartsWith("tile/entries/000.p/", StringComparison.Ordinal)).Order();
        Assert.Equal(["tile/entries/000.p/20", "tile/entries/000.p/30"], widths);
        await FillAsync(30, 256);
        _node.Export(Static);
        Assert.DoesNotContain(Files(), file => file.StartsWith("tile/entries/000.p", StringComparison.Ordinal));
        Assert.Equal(256, Import().Entries);
    }

    private string LogFile => Path.Combine(_node.StateDirectory, "test.sqlite");

    private static (byte[] Key, byte[] Value) Item(int index) =>
        (Encoding.ASCII.GetBytes($"key-{index}"), Encoding.ASCII.GetBytes($"value {index}"));

    /// <summary>Whether a file is in no C2SP client's view.</summary>
    private static bool IsOwn(string file) =>
        file is "log.json" or "head" || file.StartsWith("tile/heads/", StringComparison.Ordinal)
        || file.StartsWith("tile/conflicts/", StringComparison.Ordinal);

    private static bool IsPartial(string file) => file.Contains(".p/", StringComparison.Ordinal);

    private static int RankOf(string file) =>
        file switch { "head" => 1, "mapheads/checkpoint" => 2, "checkpoint" => 3, _ => 0 };

    private async Task FillAsync(int from, int to)
    {
        foreach (var batch in Enumerable.Range(from, to - from).Chunk(200))
        {
            await _node.SubmitAsync([.. batch.Select(Item)]);
        }
    }

    private Checkpoint Checkpoint(string file, string origin)
    {
        Assert.True(SignedNote.TryParse(Bytes(file), out var note, out _));
        Assert.Equal(SignatureCheck.Valid, note.Check(VerifierKey.OfLog(origin, _node.Signer.Key)));
        Assert.True(TransparencyLog.Notes.Checkpoint.TryRead(note, out var checkpoint));
        return checkpoint;
    }

    private (long Entries, long Heads) Import()
    {
        var state = Path.Combine(_folder, "imported");
        if (Directory.Exists(state))
        {
            Directory.Delete(state, recursive: true);
        }

        return LogImport.Run(Static, _node.Signer, Directory.CreateDirectory(state).FullName, "test", Origin);
    }

    private string PathOf(string file) => Path.Combine(Static, file);

    private byte[] Bytes(string file) => File.ReadAllBytes(PathOf(file));

    private void Put(string file, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(file))!);
        File.WriteAllBytes(PathOf(file), bytes);
    }

    private List<string> Files() =>
        [.. Directory.GetFiles(Static, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Static, file))];
}
