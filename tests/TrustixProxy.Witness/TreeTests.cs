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

    private static async Task<string> CheckAsync(TestLogNode node, Uri url, string tree) => (await Programs.RunAsync(
        "fsck", url.ToString(), Origin + tree, VerifierKey.OfLog(Origin + tree, node.Signer.Key).ToString())).Output.Trim();

    private static async Task<TestLogNode> StartAsync(int count)
    {
        var node = await new TestLogNode { Origin = Origin }.StartAsync();
        foreach (var batch in Enumerable.Range(0, count).Chunk(1000))
        {
            await node.SubmitAsync(
                [.. batch.Select(i => (Encoding.ASCII.GetBytes($"key-{i}"), Encoding.ASCII.GetBytes($"value {i}")))]);
        }

        return node;
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
