using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Tests;

/// <summary>The state and the export that version 0.1 left open and go on: the same heads, now with checkpoints.</summary>
public sealed class RecordedStateTests : IDisposable
{
    private const string Folder = "Vectors/log-0.1", Origin = "log.example/nix", Lookup = "/trustix_proxy.v1.LookupAPI/Lookup";
    private const int Entries = 259, Heads = 4;

    private static readonly LogSigner Signer = new(Seed("log"));

    private readonly TestFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Its_state_and_an_import_of_its_export_have_no_faults()
    {
        var state = Path.Combine(_directory.Path, "state.sqlite");
        File.Copy($"{Folder}/state/test.sqlite", state);

        var imported = LogImport.Run($"{Folder}/export", Signer, _directory.Path, "test");

        Assert.Equal((Entries, Heads), imported);
        foreach (var file in new[] { state, Path.Combine(_directory.Path, "test.sqlite") })
        {
            var (entries, heads, faults) = LogCheck.Run(file, Signer.Key);
            Assert.Equal((Entries, Heads, 0), (entries, heads, faults.Count));
        }
    }

    [Theory]
    [InlineData("SELECT 1")]
    [InlineData("CREATE TABLE hash_tile (number INTEGER PRIMARY KEY, hashes BLOB NOT NULL); "
        + "INSERT INTO hash_tile SELECT ((1 - tree) << 60) | ((15 - level) << 56) | idx, x'00' FROM tile")] // an older copy, then a crash
    public void Its_tiles_are_moved_into_a_table_of_fewer_levels_and_are_read_before_and_after(string change)
    {
        var (old, state) = (Path.Combine(_directory.Path, "old.sqlite"), Path.Combine(_directory.Path, "state.sqlite"));
        File.Copy($"{Folder}/state/test.sqlite", old);
        File.Copy(old, state);
        Change(state, change);
        using var before = LogDatabase.OpenToRead(old);
        using var reading = LogDatabase.OpenToRead(state);
        Assert.NotEmpty(reading.Read(reader => reader.FindTile(Tree.Log, 0, 0))!);

        using (LogDatabase.OpenToWrite(state))
        {
        }

        using var after = LogDatabase.OpenToWrite(state); // again
        Assert.Equal(before.Read(reader => reader.Count("tile")), after.Read(reader => reader.Count("hash_tile")));
        Assert.False(after.Read(reader => reader.Stream("SELECT 1 FROM sqlite_schema WHERE name = 'tile'", _ => true).Any()));
        foreach (var (tree, level, index) in new[]
                 {
                     (Tree.Log, 0, 0L), (Tree.Log, 0, 16), (Tree.Log, 1, 0), (Tree.Log, 2, 0), (Tree.MapHeads, 0, 0),
                 })
        {
            var tile = before.Read(reader => reader.FindTile(tree, level, index))!;
            Assert.NotEmpty(tile);
            Assert.Equal(tile, after.Read(reader => reader.FindTile(tree, level, index)));
            Assert.Equal(tile, reading.Read(reader => reader.FindTile(tree, level, index)));
        }
    }

    [Fact]
    public void A_state_that_cannot_be_brought_into_the_new_layout_is_refused_by_its_name()
    {
        var state = Path.Combine(_directory.Path, "state.sqlite");
        File.Copy($"{Folder}/state/test.sqlite", state);
        Change(state, "DROP TABLE tile");

        var refusal = Assert.Throws<InvalidDataException>(() => LogDatabase.OpenToWrite(state));

        Assert.StartsWith($"{state} cannot be used as a log's file: ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("no such table: tile", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_goes_on_where_version_0_1_ended_and_gives_checkpoints_of_its_heads(bool isImported)
    {
        if (isImported)
        {
            LogImport.Run($"{Folder}/export", Signer, _directory.Path, "test");
        }
        else
        {
            File.Copy($"{Folder}/state/test.sqlite", Path.Combine(_directory.Path, "test.sqlite"));
        }

        await using var node = new TestLogNode(_directory.Path, Signer, NixSecretKey.FromSeed("peer-1", Seed("token")))
        {
            Change = options => options with { Logs = [options.Logs[0] with { Origin = Origin }] },
        };
        await node.StartAsync();
        var before = await node.HeadAsync();
        var checkpoint = await CheckpointAsync(node);
        await node.SubmitAsync((Key(Entries), "value"u8.ToArray()));
        var after = await node.HeadAsync();
        await node.StopAsync();
        await node.StartAsync();

        Assert.Equal(await File.ReadAllBytesAsync($"{Folder}/export/head"), Google.Protobuf.MessageExtensions.ToByteArray(before));
        Assert.StartsWith($"{Origin}\n{Entries}\n", checkpoint, StringComparison.Ordinal);
        Assert.Equal(Entries + 1, (int)after.TreeSize);
        Assert.Equal(after, await node.HeadAsync());
        Assert.StartsWith($"{Origin}\n{Entries + 1}\n", await CheckpointAsync(node), StringComparison.Ordinal);
        var old = await AskAsync(node, Key(17));
        Assert.Equal("value 17", old.Value.ToStringUtf8());
    }

    [Fact]
    public async Task Without_an_origin_nothing_is_served_that_was_not_before()
    {
        File.Copy($"{Folder}/state/test.sqlite", Path.Combine(_directory.Path, "test.sqlite"));
        await using var node = new TestLogNode(_directory.Path, Signer);
        await node.StartAsync();

        using var answer = await node.Client.GetAsync(new Uri(node.PublicUrl, "/test/checkpoint"));
        var response = await node.CallAsync(Lookup, new LookupRequest { LogID = node.LogId }, LookupResponse.Parser);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal((0, 0), (response.Checkpoint.Length, response.MapHeadCheckpoint.Length));
    }

    private static async Task<string> CheckpointAsync(TestLogNode node) =>
        await node.Client.GetStringAsync(new Uri(node.PublicUrl, "/test/checkpoint"));

    private static async Task<LookupEntry> AskAsync(TestLogNode node, byte[] key)
    {
        var request = new LookupRequest { LogID = node.LogId };
        request.Keys.Add(Google.Protobuf.ByteString.CopyFrom(key));
        var answer = await node.CallAsync(Lookup, request, LookupResponse.Parser);
        return Assert.Single(Assert.Single(answer.Items).Entries);
    }

    private static byte[] Key(int number) =>
        Encoding.ASCII.GetBytes($"/nix/store/{Nix32.Encode(Seed($"path {number}").AsSpan(0, 20))}-p{number}-1.0");

    private static byte[] Seed(string name) => SHA256.HashData(Encoding.ASCII.GetBytes($"trustix-proxy log-0.1 {name}"));

    private static void Change(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = new SqliteCommand(sql, connection);
        command.ExecuteNonQuery();
    }
}
