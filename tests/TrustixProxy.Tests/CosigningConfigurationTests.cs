using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>The keys by which a log asks witnesses: what is refused, and what is warned of.</summary>
public sealed class CosigningConfigurationTests
{
    private const string Origin = "\"origin\": \"log.alice.example/nix\"", Asks = "\"witnesses\": { \"policyFile\": \"FILE\" }";

    private static readonly string[] Four =
        [.. Enumerable.Range(1, 4).Select(i => $"{new TestWitness($"w{i}", (byte)i).Line.TrimEnd()} https://w{i}.example")];

    private static string Witnesses => $"{string.Join('\n', Four)}\n";

    [Theory]
    [InlineData("group q 3 w1 w2 w3 w4\nquorum q\n", null)]
    [InlineData("group q 2 w1 w2 w3\nquorum q\n", "warning: logs 'a'.witnesses.policyFile: its quorum bears no lying witness")]
    [InlineData("witness w5 KEY\ngroup q 3 w1 w2 w3 w4 w5\nquorum q\n", "names the witness 'w5' without an address, so it is never asked.")]
    public async Task A_policy_is_taken_and_its_weakness_is_said(string rest, string? warning)
    {
        using var folder = new Folder();
        var text = Witnesses + rest.Replace("KEY", $"{new TestWitness("w5", 5).Key}", StringComparison.Ordinal);

        var (code, output, error) = await CheckAsync(folder, $"{Origin}, {Asks}", text);

        Assert.True(code is 0, error);
        Assert.Equal(warning is null, error.Length is 0);
        Assert.Contains(warning ?? "", error, StringComparison.Ordinal);
        Assert.Contains("\nvkey log.alice.example/nix+", output, StringComparison.Ordinal);
        Assert.Contains("\nvkey log.alice.example/nix/mapheads+", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Asks, "logs[0].origin: is missing, but 'witnesses' is set.")]
    [InlineData(Origin + ", \"witnesses\": { \"interval\": \"00:00:10\" }", "logs[0].witnesses.policyFile: is missing. Set it")]
    [InlineData(Origin + ", \"witnesses\": \"FILE\"", "logs[0].witnesses: is '")]
    [InlineData(Origin + ", \"witnesses\": { \"policyFile\": \"/nowhere/policy\" }",
        "logs[0].witnesses.policyFile: is '/nowhere/policy', which cannot be read")]
    [InlineData(Origin + ", \"witnesses\": { \"policyFile\": \"FILE\", \"interval\": \"00:00:00\" }",
        "logs[0].witnesses.interval: is '00:00:00'; it must be a time hh:mm:ss[.fff] from 00:00:01 to 01:00:00.")]
    [InlineData(Origin + ", \"witnesses\": { \"policyFile\": \"FILE\", \"publish\": \"never\" }",
        "logs[0].witnesses.publish: is 'never'; it must be \"witnessed\" or \"always\".")]
    [InlineData(Origin + ", \"witnesses\": { \"policyFile\": \"FILE\", \"intervall\": \"00:00:10\" }", "'interval' is")]
    public async Task Half_a_configuration_and_values_that_cannot_be_are_refused(string keys, string fault)
    {
        using var folder = new Folder();

        var (code, _, error) = await CheckAsync(folder, keys, $"{Witnesses}group q 3 w1 w2 w3 w4\nquorum q\n");

        Assert.Equal(2, code);
        Assert.Contains(fault, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quorum none\n", "whose line 5: 'quorum none' demands no cosignature")]
    [InlineData("witness w5 KEY\nwitness w6 OTHER\ngroup q 2 w1 w5 w6\nquorum q\n",
        "whose quorum, 2 of 3, the witnesses with an address cannot meet. Add each witness's URL after its key")]
    [InlineData("witness w5 KEY ftp://w5.example\ngroup q 3 w1 w2 w3 w5\nquorum q\n",
        "whose address of witness 'w5' is 'ftp://w5.example'; it must be an address with http:// or https://.")]
    [InlineData("witness w5 KEY https://me:pass@w5.example\ngroup q 3 w1 w2 w3 w5\nquorum q\n",
        "whose address of witness 'w5' has a user name or password")]
    public async Task A_policy_by_which_no_head_can_be_cosigned_is_refused(string rest, string fault)
    {
        using var folder = new Folder();
        var text = Witnesses + rest.Replace("KEY", $"{new TestWitness("w5", 5).Key}", StringComparison.Ordinal)
            .Replace("OTHER", $"{new TestWitness("w6", 6).Key}", StringComparison.Ordinal);

        var (code, _, error) = await CheckAsync(folder, $"{Origin}, {Asks}", text);

        Assert.Equal(2, code);
        Assert.Contains("logs[0].witnesses.policyFile: is '", error, StringComparison.Ordinal);
        Assert.Contains(fault, error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string keys, string policy)
    {
        await Cli.RunAsync(["keygen", folder.File("key")]);
        var file = folder.File("policy", policy);
        return await Cli.RunAsync(["check-config", "--config", folder.File("config.json", $$"""
            { "stateDirectory": "{{folder.Path}}/state", "logs": [{ "name": "a", "privateKeyFile": "{{folder.File("key")}}",
                {{keys.Replace("FILE", file, StringComparison.Ordinal)}} }] }
            """)]);
    }
}
