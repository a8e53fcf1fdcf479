using System.Buffers.Binary;
using System.Net;
using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Tests.Api;

/// <summary>A log with an origin serves checkpoints and tiles from which C2SP's clients compute its roots.</summary>
public sealed class TileFaceTests
{
    private const string Origin = "log.example/nix";

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(700)]
    public async Task Hashes_entries_and_values_give_the_root_of_the_checkpoint(int count)
    {
        await using var node = await StartAsync(count);

        foreach (var (folder, origin) in new[] { ("", Origin), ("mapheads/", Origin + "/mapheads") })
        {
            var checkpoint = await CheckpointAsync(node, folder, origin);
            var hashes = await HashesAsync(node, $"{folder}tile/0", checkpoint.Size);
            var entries = await EntriesAsync(node, $"{folder}tile/entries", checkpoint.Size);

            Assert.Equal(checkpoint.Root, RootOf(hashes));
            Assert.Equal(hashes, entries.Select(entry => MerkleHash.Leaf(entry.Span)));
            Assert.Equal(
                hashes.Chunk(256).Where(tile => tile.Length is 256).Select(tile => MerkleTree.RootOf(tile)),
                await HashesAsync(node, $"{folder}tile/1", checkpoint.Size / 256));
        }

        Assert.Equal(count, (await CheckpointAsync(node, "", Origin)).Size);
        Assert.Equal(Enumerable.Range(0, count).Select(i => Item(i).Value), await ValuesAsync(node, count));
    }

    [Fact]
    public async Task An_address_that_reads_too_many_bytes_is_told_to_wait()
    {
        await using var node = await StartAsync(0);
        for (byte i = 0; i < 30; i++)
        {
            await node.SubmitAsync(([i], new byte[1 << 20]));
        }

        using var first = await GetAsync(node, "tile/values/000.p/30");
        using var second = await GetAsync(node, "tile/values/000.p/30");

        Assert.Equal((HttpStatusCode.OK, 30 * (4 + (1 << 20))), (first.StatusCode, first.Content.Headers.ContentLength));
        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), second.Headers.RetryAfter!.Delta);
        Assert.Contains("16384000 bytes a second: wait a second", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tile_is_immutable_and_a_checkpoint_is_asked_for_anew()
    {
        await using var node = await StartAsync(257);

        using var checkpoint = await GetAsync(node, "checkpoint");
        using var full = await GetAsync(node, "tile/entries/000");
        using var partial = await GetAsync(node, "tile/0/001.p/1");
        using var head = await SendAsync(node, HttpMethod.Head, "tile/values/000");

        Assert.Equal(("text/plain; charset=utf-8", "no-cache"),
            (checkpoint.Content.Headers.ContentType!.ToString(), checkpoint.Headers.CacheControl!.ToString()));
        foreach (var tile in new[] { full, partial, head })
        {
            Assert.Equal(HttpStatusCode.OK, tile.StatusCode);
            Assert.Equal("application/octet-stream", tile.Content.Headers.ContentType!.ToString());
            Assert.Equal("public, max-age=31536000, immutable", string.Join(", ", tile.Headers.GetValues("Cache-Control")));
        }

        Assert.Equal((await GetBytesAsync(node, "tile/values/000")).Length, head.Content.Headers.ContentLength);
    }

    [Theory]
    [InlineData("tile/0/000.p/100", true)]
    [InlineData("tile/entries/001.p/1", true)]
    [InlineData("tile/values/001.p/1", true)]
    [InlineData("tile/1/000.p/1", true)]
    [InlineData("mapheads/tile/entries/000.p/1", true)]
    [InlineData("tile/0/001", false)]
    [InlineData("tile/0/001.p/2", false)]
    [InlineData("tile/0/002.p/1", false)]
    [InlineData("tile/1/000", false)]
    [InlineData("tile/7/000.p/1", false)]
    [InlineData("tile/8/000.p/1", false)]
    [InlineData("tile/00/000", false)]
    [InlineData("tile/-1/000", false)]
    [InlineData("tile/0/0", false)]
    [InlineData("tile/0/0000", false)]
    [InlineData("tile/0/x000/000", false)]
    [InlineData("tile/0/x001", false)]
    [InlineData("tile/0/001/000", false)]
    [InlineData("tile/0/x999/x999/x999/x999/x999/999", false)]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/999", false)]
    [InlineData("tile/0/000.p/0", false)]
    [InlineData("tile/0/000.p/01", false)]
    [InlineData("tile/0/000.p/256", false)]
    [InlineData("tile/0/000.p/", false)]
    [InlineData("tile/0/000.p/+1", false)]
    [InlineData("tile/0/000/", false)]
    [InlineData("tile/0/00%30", false)]
    [InlineData("tile/0/%30%30%30", false)]
    [InlineData("tile/0/%D9%A0%D9%A0%D9%A0", false)]
    [InlineData("tile/entries", false)]
    [InlineData("tile/heads/000", false)]
    [InlineData("tile//000", false)]
    [InlineData("mapheads/tile/values/000.p/1", false)]
    [InlineData("mapheads/mapheads/checkpoint", false)]
    [InlineData("checkpoint/", false)]
    [InlineData("", false)]
    public async Task A_file_has_one_name_and_exists_when_the_log_has_all_of_it(string path, bool exists)
    {
        await using var node = await StartAsync(257);

        using var answer = await GetAsync(node, path);

        Assert.Equal(exists ? HttpStatusCode.OK : HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Fact]
    public async Task A_log_without_an_origin_has_no_files_and_files_take_no_posts()
    {
        await using var plain = await new TestLogNode().StartAsync();
        await using var node = await StartAsync(1);

        using var none = await GetAsync(plain, "checkpoint");
        using var post = await SendAsync(node, HttpMethod.Post, "checkpoint");

        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
        Assert.Equal((HttpStatusCode.MethodNotAllowed, "GET, HEAD"), (post.StatusCode, string.Join(", ", post.Content.Headers.Allow)));
    }

    private static (byte[] Key, byte[] Value) Item(int index) =>
        (Encoding.ASCII.GetBytes($"key-{index}"), Encoding.ASCII.GetBytes(new string('v', index % 7) + index));

    private static async Task<TestLogNode> StartAsync(int count)
    {
        var node = await new TestLogNode
        {
            Change = options => options with { Logs = [options.Logs[0] with { Origin = Origin }] },
        }.StartAsync();
        foreach (var batch in Enumerable.Range(0, count).Chunk(400))
        {
            await node.SubmitAsync([.. batch.Select(Item)]);
        }

        return node;
    }

    private static Digest RootOf(Digest[] leaves) => MerkleTree.Root(leaves.Length,
        (level, index) => MerkleTree.RootOf(leaves.AsSpan((int)(index << level), 1 << level)));

    private static async Task<Checkpoint> CheckpointAsync(TestLogNode node, string folder, string origin)
    {
        Assert.True(SignedNote.TryParse(await GetBytesAsync(node, folder + "checkpoint"), out var note, out _));
        Assert.Equal(SignatureCheck.Valid, note.Check(VerifierKey.OfLog(origin, node.Signer.Key)));
        Assert.True(Checkpoint.TryRead(note, out var checkpoint));
        Assert.Equal(origin, checkpoint.Origin);
        return checkpoint;
    }

    private static async Task<Digest[]> HashesAsync(TestLogNode node, string folder, long count)
    {
        var tiles = await TilesAsync(node, folder, count);
        return [.. tiles.SelectMany(tile => tile.Bytes.Chunk(Digest.Size)).Select(hash => new Digest(hash))];
    }

    private static async Task<ReadOnlyMemory<byte>[]> EntriesAsync(TestLogNode node, string folder, long count)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        foreach (var (bytes, width) in await TilesAsync(node, folder, count))
        {
            Assert.True(EntryBundle.TryRead(bytes, width, out var entries));
            found.AddRange(entries);
        }

        return [.. found];
    }

    private static async Task<byte[][]> ValuesAsync(TestLogNode node, long count)
    {
        var found = new List<byte[]>();
        foreach (var (bytes, _) in await TilesAsync(node, "tile/values", count))
        {
            for (var at = 0; at < bytes.Length;)
            {
                var end = at + 4 + BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
                found.Add(bytes[(at + 4)..end]);
                at = end;
            }
        }

        return [.. found];
    }

    private static async Task<List<(byte[] Bytes, int Width)>> TilesAsync(TestLogNode node, string folder, long count)
    {
        var tiles = new List<(byte[], int)>();
        for (var index = 0; index * 256 < count; index++)
        {
            var width = (int)Math.Min(256, count - (index * 256));
            tiles.Add((await GetBytesAsync(node, ArchiveLayout.FileName(folder, index, width)), width));
        }

        return tiles;
    }

    private static async Task<byte[]> GetBytesAsync(TestLogNode node, string path)
    {
        using var answer = await GetAsync(node, path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    private static Task<HttpResponseMessage> GetAsync(TestLogNode node, string path) => SendAsync(node, HttpMethod.Get, path);

    private static async Task<HttpResponseMessage> SendAsync(TestLogNode node, HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method,
            new Uri($"{node.PublicUrl}test/{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        return await node.Client.SendAsync(request);
    }
}
