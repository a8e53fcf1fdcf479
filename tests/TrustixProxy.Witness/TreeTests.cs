using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>W2: Tessera's fsck recomputes our log and our map-head log, as a node serves them and as they are exported.</summary>
public sealed class TreeTests
{
    private const string Origin = "log.example/nix";

    [ProgramTheory("fsck")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(700)]
    [InlineData(66_000)]
    public async Task Log_and_map_head_log_of_each_size_are_good(int count)
    {
        await using var node = await StartAsync(count);
        using var folder = new TestFolder();
        node.Export(folder.Path);
        await using var files = await FileServer.StartAsync(folder.Path);

        foreach (var url in new[] { new Uri(node.PublicUrl, "test/"), files.Url })
        {
            Assert.Equal("OK", await CheckAsync(node, url, ""));
            Assert.Equal("OK", await CheckAsync(node, new Uri(url, "mapheads/"), "/mapheads"));
        }
    }

    [ProgramFact("fsck")]
    public async Task A_changed_byte_is_bad()
    {
        await using var node = await StartAsync(700);
        using var folder = new TestFolder();
        node.Export(folder.Path);
        await using var files = await FileServer.StartAsync(folder.Path);

        foreach (var name in new[] { "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/188", "checkpoint" })
        {
            var file = Path.Combine(folder.Path, name);
            var good = await File.ReadAllBytesAsync(file);
            await File.WriteAllBytesAsync(file, [.. good[..40], (byte)(good[40] ^ 1), .. good[41..]]);
            Assert.True((await CheckAsync(node, files.Url, "")).StartsWith("BAD: ", StringComparison.Ordinal), name);
            await File.WriteAllBytesAsync(file, good);
        }

        Assert.Equal("OK", await CheckAsync(node, files.Url, ""));
    }

    [ProgramTheory("mirror")]
    [InlineData(1)]
    [InlineData(257)]
    [InlineData(700)]
    public async Task A_mirror_has_our_files_and_goes_on_where_it_stopped(int count)
    {
        await using var node = await StartAsync(count);
        using var mirrored = new TestFolder();
        foreach (var more in new[] { 0, 300 })
        {
            await SubmitAsync(node, Enumerable.Range(count, more));
            foreach (var tree in new[] { "", "mapheads/" })
            {
                var folder = Directory.CreateDirectory(Path.Combine(mirrored.Path, tree)).FullName;
                using var exported = new TestFolder();
                node.Export(exported.Path);
                var source = new Uri(node.PublicUrl, $"test/{tree}");
                // With more workers than new entries it would not end.
                (await Programs.RunAsync("mirror", $"--source_url={source}", $"--storage_dir={folder}", "--num_workers=1")).OrThrow();

                var ours = Path.Combine(exported.Path, tree);
                foreach (var file in FilesOf(ours))
                {
                    var (own, theirs) = (Path.Combine(ours, file), Path.Combine(folder, file));
                    Assert.Equal(await File.ReadAllBytesAsync(own), await File.ReadAllBytesAsync(theirs));
                }
            }
        }
    }

    /// <summary>The files that C2SP's tlog-tiles names: a log's checkpoint, hash tiles and entry bundles.</summary>
    private static IEnumerable<string> FilesOf(string folder) => Directory
        .GetFiles(Path.Combine(folder, "tile"), "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(folder, file))
        .Where(file => file.Split('/')[1] is "entries" or [>= '0' and <= '9'])
        .Prepend("checkpoint");

    private static async Task<string> CheckAsync(TestLogNode node, Uri url, string tree) => (await Programs.RunAsync(
        "fsck", url.ToString(), Origin + tree, VerifierKey.OfLog(Origin + tree, node.Signer.Key).ToString())).Output.Trim();

    private static async Task<TestLogNode> StartAsync(int count)
    {
        var node = await new TestLogNode { Origin = Origin }.StartAsync();
        await SubmitAsync(node, Enumerable.Range(0, count));
        return node;
    }

    private static async Task SubmitAsync(TestLogNode node, IEnumerable<int> numbers)
    {
        foreach (var batch in numbers.Chunk(1000))
        {
            await node.SubmitAsync(
                [.. batch.Select(i => (Encoding.ASCII.GetBytes($"key-{i}"), Encoding.ASCII.GetBytes($"value {i}")))]);
        }
    }

    /// <summary>A web server of files.</summary>
    private sealed class FileServer(string folder) : FakeServer
    {
        public static async Task<FileServer> StartAsync(string folder)
        {
            var server = new FileServer(folder);
            await server.ListenAsync();
            return server;
        }

        protected override Task AnswerAsync(HttpContext context)
        {
            var path = Path.Combine(folder, context.Request.Path.Value!.TrimStart('/'));
            context.Response.StatusCode = File.Exists(path) ? 200 : 404;
            return File.Exists(path) ? context.Response.Body.WriteAsync(File.ReadAllBytes(path)).AsTask() : Task.CompletedTask;
        }
    }
}
