using System.Text.Json;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Tests;

/// <summary>explain, doctor, logs and verify over a log whose heads witnesses must have seen, as one types them.</summary>
public sealed class WitnessedVerbTests
{
    private const string Origin = "log.alice.example/nix", Missing = "seen by w1, missing w2, w3, needed 2 of 3";

    private static readonly TestWitness[] Three = [.. Enumerable.Range(1, 3).Select(i => new TestWitness($"w{i}", (byte)i))];

    [Fact]
    public async Task A_bundle_is_verified_offline_and_the_strangers_who_saw_the_head_are_named()
    {
        var output = TestOutput.Make();
        await using var stage = await StartAsync(cosigners: 2);
        stage.Publish(output, "alice", "bob");
        var file = stage.Folder.File("bundle.json");

        var explained = await Cli.RunAsync(["explain", output.Path.Absolute, "--bundle", file, "--config", Config(stage)]);
        await stage.Proxy.DisposeAsync(); // no log answers any more
        var verified = await Cli.RunOfflineAsync("verify", file, "--policy", Config(stage));
        var json = await Cli.RunAsync(["verify", file, "--json", "--policy", Config(stage)]);
        await File.WriteAllTextAsync(Policy(stage), Lines + "group q all w1 w2 w3\nquorum q\n");
        var stricter = await Cli.RunAsync(["verify", file, "--policy", Config(stage)]);

        Assert.True(explained.Code is 0, explained.Error);
        Assert.Matches(@"alice +alice +sha256:\w+ +tied to leaf 0, seen by w1, w2 ", explained.Output);
        Assert.True(verified.Code is 0, verified.Output + verified.Error);
        Assert.Matches(
            @"\nalice: 2 of its policy's witnesses saw its head of size 1 \(last 20[\d-]+ [\d:]+Z\): w1, w2\n$", verified.Output);
        var seen = Assert.Single(JsonDocument.Parse(json.Output).RootElement.GetProperty("witnessed").EnumerateArray());
        Assert.Equal(("alice", 1), (seen.GetProperty("elector").GetString(), seen.GetProperty("headSize").GetInt64()));
        Assert.Equal(["w1", "w2"], seen.GetProperty("witnesses").EnumerateArray().Select(name => name.GetString()));
        Assert.Equal(
            (1, "not verified: it was decided under a different policy than that of the given configuration.\n"),
            (stricter.Code, stricter.Output));
    }

    [Fact]
    public async Task An_unwitnessed_log_is_named_with_since_when_who_is_missing_and_what_helps_and_never_silent()
    {
        var output = TestOutput.Make();
        await using var stage = await StartAsync(cosigners: 1);
        stage.Publish(output, "alice", "bob");

        var explained = await Cli.RunAsync(["explain", output.Path.Absolute, "--config", Config(stage)]);
        var json = await Cli.RunAsync(["explain", output.Path.Absolute, "--json", "--config", Config(stage)]);
        var doctor = await Cli.RunAsync(["doctor", output.Path.Absolute, "--config", Config(stage)], stage.WithoutNix);
        var logs = await Cli.RunAsync(["logs", "--config", Config(stage)]);

        Assert.Matches(@"alice +alice +unwitnessed +too few of its witnesses have lately seen its head", explained.Output);
        Assert.Contains("alice=unwitnessed", explained.Output, StringComparison.Ordinal);
        foreach (var text in new[] { explained.Output, doctor.Output, logs.Output })
        {
            Assert.Matches($@"alice: .*unwitnessed since 20[\d-]+ [\d:]+Z: too few witnesses have cosigned it; {Missing}\. Ask ", text);
            Assert.DoesNotContain("silent", text, StringComparison.Ordinal);
        }

        var told = Assert.Single(JsonDocument.Parse(json.Output).RootElement.GetProperty("unwitnessed").EnumerateArray());
        Assert.Equal("alice", told.GetProperty("name").GetString());
        Assert.Contains(Missing, told.GetProperty("why").GetString(), StringComparison.Ordinal);
        Assert.True(told.GetProperty("since").GetDateTimeOffset() > DateTimeOffset.UtcNow.AddMinutes(-5));
    }

    private static string Lines => string.Concat(Three.Select(witness => witness.Line));

    private static string Policy(Stage stage) => stage.Folder.File("witnesses.tlog-policy");

    private static string Config(Stage stage) => stage.Folder.File("witnessed.json");

    private static async Task<Stage> StartAsync(int cosigners)
    {
        var stage = await Stage.StartAsync();
        var signer = stage.Proxy.Log("alice").Log.Signer;
        stage.Proxy.Log("alice").CheckpointOf = (head, isMapHeads) =>
        {
            var note = new CheckpointSigner(isMapHeads ? $"{Origin}/mapheads" : Origin, signer)
                .Sign(isMapHeads ? head.MapHeadSize : head.TreeSize, isMapHeads ? head.MapHeadRoot : head.LogRoot);
            return note.With(Three.Take(cosigners).Select(witness => witness.Cosign(note, DateTimeOffset.UtcNow))).ToBytes();
        };
        stage.Folder.File("witnesses.tlog-policy", Lines + "group q 2 w1 w2 w3\nquorum q\n");
        var demand = $"\"origin\": \"{Origin}\", \"witnesses\": \"{Policy(stage)}\", \"name\": \"alice\"";
        stage.Folder.File("witnessed.json", (await File.ReadAllTextAsync(stage.Config))
            .Replace("\"name\": \"alice\"", demand, StringComparison.Ordinal)
            .Replace("\"00:00:02\"", "\"00:00:20\"", StringComparison.Ordinal)); // a busy machine is not silence
        return stage;
    }
}
