using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary><c>log conflicts</c> says for each key who says what, and since when.</summary>
public sealed partial class LogConflictsTests
{
    private static readonly NixSecretKey Ann = NixSecretKey.Generate("ann"), Ben = NixSecretKey.Generate("ben"),
        Cat = NixSecretKey.Generate("cat");

    [Fact]
    public async Task Of_several_writers_each_is_named_with_its_value_and_since_when()
    {
        using var folder = new Folder();
        var (same, split) = (TestOutput.Make("same"), TestOutput.Make("split"));
        var forged = split.Forge();
        var start = DateTimeOffset.UtcNow.AddSeconds(-1);
        await using var node = await StartAsync(folder);
        await SubmitAsync(node, Ann, same, split);
        await SubmitAsync(node, Ben, same, forged);
        await SubmitAsync(node, Cat, split, same);
        await SubmitAsync(node, Cat, forged);

        var shown = await Cli.RunAsync(["log", "conflicts", "--config", folder.File("log.json")]);
        var listed = await Cli.RunAsync(["log", "conflicts", "--json", "--config", folder.File("log.json")]);
        var json = JsonNode.Parse(listed.Output)!;

        Assert.Equal((0, ""), (shown.Code, shown.Error));
        Assert.Equal($"""
            {split.Path.Absolute} (entry 1)
              ann since TIME, cat since TIME: {Text(split)}
              ben since TIME, cat since TIME: {Text(forged)}
              see in what they differ: trustix-proxy diff {split.Path.Absolute}
            test: 1 conflict on 1 key

            """, Time.Replace(shown.Output, "TIME"));
        Assert.All(Time.Matches(shown.Output), time =>
            Assert.InRange(DateTimeOffset.Parse(time.Value, CultureInfo.InvariantCulture), start, DateTimeOffset.UtcNow));
        Assert.Equal((split.Path.Absolute, "ann", $"{forged.Statement.NarHash}", "ben"), ((string?)json["path"],
            (string?)json["held"]!["writers"]![0]!["writer"], (string?)json["other"]!["narHash"],
            (string?)json["other"]!["writers"]![0]!["writer"]));
        Assert.Matches(Time, (string?)json["other"]!["writers"]![1]!["since"]);
        Assert.NotNull(json["Signature"]);
    }

    [Fact]
    public async Task Entries_of_an_earlier_version_have_unknown_writers_and_its_queue_is_taken_over()
    {
        using var folder = new Folder();
        var split = TestOutput.Make("split");
        var forged = split.Forge();
        await using var node = await StartAsync(folder);
        await SubmitAsync(node, Ann, split);
        await SubmitAsync(node, Ben, forged);
        await node.StopAsync();
        using (var connection = new SqliteConnection($"Data Source={folder.File("test.sqlite")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "DROP TABLE wrote; DROP TABLE said; ALTER TABLE queue DROP COLUMN writer; "
                + "INSERT INTO queue (key, value) VALUES (x'6b', x'76')";
            command.ExecuteNonQuery();
        }

        var earlier = await Cli.RunAsync(["log", "conflicts", "--config", folder.File("log.json")]);
        await node.StartAsync();
        await SubmitAsync(node, Cat, forged);
        var later = await Cli.RunAsync(["log", "conflicts", "--config", folder.File("log.json")]);

        Assert.Matches($"  unknown since [^ ]+: {split.Statement.NarHash}, ", earlier.Output);
        Assert.Matches($"  unknown since [^ ]+: {forged.Statement.NarHash}, ", earlier.Output);
        Assert.Matches($"  unknown since [^ ]+, cat since [^ ]+: {forged.Statement.NarHash}, ", later.Output);
        Assert.EndsWith("test: 1 conflict on 1 key\n", later.Output, StringComparison.Ordinal);
        Assert.Equal(2ul, (await node.HeadAsync()).TreeSize);
    }

    private static string Text(TestOutput output) => $"{output.Statement.NarHash}, {output.Statement.NarSize:N0} bytes, 0 references";

    private static async Task<TestLogNode> StartAsync(Folder folder)
    {
        var key = NixSecretKey.Generate("test");
        var node = new TestLogNode(folder.Path, new(key.Key))
        {
            Change = options => options with
            {
                FlushInterval = TimeSpan.Zero,
                Logs = [.. options.Logs.Select(log => log with { WriteTokens = [Ann.PublicKey, Ben.PublicKey, Cat.PublicKey] })],
            },
        };
        folder.File("log.key", key.Export());
        File.SetUnixFileMode(folder.File("log.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        folder.File("log.json", $$"""
            { "stateDirectory": "{{folder.Path}}", "logs": [{ "name": "test", "privateKeyFile": "{{folder.File("log.key")}}",
              "writeTokens": ["{{Ann.PublicKey}}"] }] }
            """);
        return await node.StartAsync();
    }

    private static async Task SubmitAsync(TestLogNode node, NixSecretKey token, params TestOutput[] outputs)
    {
        using var submitter = node.Submitter(token);
        await submitter.SubmitAsync(node.LogId, [.. outputs.Select(output => output.Statement)], default);
    }

    [GeneratedRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")]
    private static partial Regex Time { get; }
}
