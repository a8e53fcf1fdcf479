using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Tests;

/// <summary><c>log proof</c> proves a path's entry to C2SP's readers, and votes as a static file once witnesses have
/// cosigned it.</summary>
public sealed class LogProofVerbTests
{
    private const string Origin = "log.example/nix";

    [Fact]
    public async Task A_proof_is_written_beside_a_running_or_stopped_node_and_votes_once_it_is_witnessed()
    {
        using var folder = new Folder();
        var output = TestOutput.Make();
        await using var node = await StartAsync(folder, output);

        var running = await ProveAsync(folder, output.Path.Absolute);
        await node.StopAsync();
        var stopped = await ProveAsync(folder, output.Path.Absolute, "--output", folder.File("proof"));

        Assert.Equal((0, 0, ""), (running.Code, stopped.Code, stopped.Output));
        Assert.Equal(running.Output, await File.ReadAllTextAsync(folder.File("proof")));
        Assert.True(TlogProof.TryParse(Encoding.UTF8.GetBytes(running.Output), out var proof));
        var witness = new TestWitness("w1", 1);
        var key = VerifierKey.OfLog(Origin, node.Signer.Key);
        Assert.True(WitnessPolicy.TryParse(
            Encoding.UTF8.GetBytes($"log {key}\n{witness.Line}quorum w1\n"), mustDemand: true, out var policy, out _));
        var elector = new Elector.ProofFiles("dora", "dora", policy);
        var cosigned = proof with { Checkpoint = proof.Checkpoint.With(witness.Cosign(proof.Checkpoint, DateTimeOffset.UtcNow)) };

        Assert.Equal(SilenceReason.Unwitnessed, Judge(proof).Reason);
        var vote = Assert.IsType<Ballot.Claimed>(ProofFile.Judge(cosigned.ToBytes(), elector, output.Path, DateTimeOffset.UtcNow));
        Assert.Equal((output.Statement.NarHash, output.Path), (vote.Claim.NarHash, vote.Claim.Path));
        Assert.Equal(SilenceReason.BadProof, Judge(cosigned with { Extra = output.Forge().Statement.Value }).Reason);

        Ballot.Silent Judge(TlogProof file) =>
            Assert.IsType<Ballot.Silent>(ProofFile.Judge(file.ToBytes(), elector, output.Path, DateTimeOffset.UtcNow));
    }

    [Fact]
    public async Task A_proof_without_the_quorum_of_the_logs_own_witnesses_is_written_with_a_warning()
    {
        using var folder = new Folder();
        var output = TestOutput.Make();
        await using var node = await StartAsync(folder, output);
        folder.File("witnesses", $"{new TestWitness("w1", 1).Line.TrimEnd()} https://w1.example/\nquorum w1\n");
        WriteConfig(folder, node, Origin, $$"""{ "policyFile": "{{folder.File("witnesses")}}", "publish": "always" }""");

        var proof = await ProveAsync(folder, output.Path.Absolute);

        Assert.Equal(0, proof.Code);
        Assert.Contains("The newest head of test lacks its quorum of witnesses", proof.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_error_names_what_is_missing()
    {
        using var folder = new Folder();
        var (output, other) = (TestOutput.Make(), TestOutput.Make("other"));
        await using var node = await StartAsync(folder, output);

        var absent = await ProveAsync(folder, other.Path.Absolute);
        var noPath = await ProveAsync(folder, "/etc/passwd");
        WriteConfig(folder, node, null);
        var noOrigin = await ProveAsync(folder, output.Path.Absolute);

        Assert.Equal((1, 2, 2), (absent.Code, noPath.Code, noOrigin.Code));
        Assert.Contains($"The log test has no entry for {other.Path.Absolute}.", absent.Error, StringComparison.Ordinal);
        Assert.Contains("PATH is '/etc/passwd', which is neither in /nix/store", noPath.Error, StringComparison.Ordinal);
        Assert.Contains("The log test has no origin", noOrigin.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("log.example/nix", 0, "vkey log.example/nix+")]
    [InlineData("log example", 2, "--origin is 'log example'; it names the log to witnesses, so it has no spaces")]
    [InlineData("a+b", 2, "--origin is 'a+b'; it names the log")]
    [InlineData("", 2, "--origin is ''; it names the log")]
    public async Task Keygen_prints_the_verifier_keys_of_an_origin(string origin, int code, string text)
    {
        using var folder = new Folder();

        var made = await Cli.RunAsync(["keygen", folder.File("key"), "--origin", origin]);

        Assert.Equal(code, made.Code);
        Assert.Contains(text, made.Output + made.Error, StringComparison.Ordinal);
        Assert.Equal(code is 0, File.Exists(folder.File("key")));
        var keys = made.Output.Split('\n').Where(line => line.StartsWith("vkey ", StringComparison.Ordinal)).ToList();
        Assert.Equal(code is 0 ? 2 : 0, keys.Count);
        Assert.All(keys, key => Assert.True(VerifierKey.TryParse(key["vkey ".Length..], out _, out _)));
    }

    private static Task<(int Code, string Output, string Error)> ProveAsync(Folder folder, params string[] arguments) =>
        Cli.RunAsync(["log", "proof", "--config", folder.File("log.json"), .. arguments]);

    private static async Task<TestLogNode> StartAsync(Folder folder, TestOutput output)
    {
        var secret = NixSecretKey.Generate("log");
        folder.File("log.key", secret.Export());
        File.SetUnixFileMode(folder.File("log.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var node = await new TestLogNode(signer: new TransparencyLog.LogSigner(secret.Key)) { Origin = Origin }.StartAsync();
        await node.SubmitAsync(("a"u8.ToArray(), "b"u8.ToArray()), (output.Statement.Key, output.Statement.Value));
        WriteConfig(folder, node, Origin);
        return node;
    }

    private static void WriteConfig(Folder folder, TestLogNode node, string? origin, string? witnesses = null) =>
        folder.File("log.json", $$"""
        {
          "stateDirectory": "{{node.StateDirectory}}",
          "logs": [{ {{(origin is null ? "" : $"\"origin\": \"{origin}\",")}}
              {{(witnesses is null ? "" : $"\"witnesses\": {witnesses},")}}
              "name": "test", "privateKeyFile": "{{folder.File("log.key")}}" }]
        }
        """);
}
