using TrustixProxy.Configuration;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>The keys by which the proxy demands witnesses: what is refused, and what is warned of.</summary>
public sealed class DemandConfigurationTests
{
    private const string Key = "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=", Origin = "\"origin\": \"log.alice.example/nix\"";

    private static readonly TestWitness[] Four = [.. Enumerable.Range(1, 4).Select(i => new TestWitness($"w{i}", (byte)i))];

    [Theory]
    [InlineData("group q 3 w1 w2 w3 w4\nquorum q\n", null)]
    [InlineData("group q 2 w1 w2 w3\nquorum q\n", "one lying witness lets the log show two histories")]
    [InlineData("group q 2 w1 w2 w3 w4\nquorum q\n", "two histories of the log can each have a quorum although no witness lies")]
    public async Task A_quorum_that_bears_no_lying_witness_is_warned_of(string quorum, string? warning)
    {
        using var folder = new Folder();
        var file = folder.File("policy", Witnesses + quorum);

        var (code, _, error) = await CheckAsync(folder, $"{Origin}, \"witnesses\": \"{file}\", \"witnessedWithin\": \"12:00:00\"");

        Assert.Equal(0, code);
        Assert.Equal(warning is not null, error.Contains("witness", StringComparison.Ordinal));
        Assert.Contains(warning ?? "", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "witnesses: is '", "line 5:")]
    [InlineData("quorum none\n", "witnesses: is '", "line 5:")]
    [InlineData("group q 2 w1 w9\nquorum q\n", "witnesses: is '", "line 5:")]
    [InlineData("quorum", "witnesses: is '", "line 5:")]
    public async Task A_policy_file_that_is_damaged_or_demands_nothing_is_refused_with_its_line(string rest, string key, string line)
    {
        using var folder = new Folder();
        var file = folder.File("policy", Witnesses + rest);

        var (code, _, error) = await CheckAsync(folder, $"{Origin}, \"witnesses\": \"{file}\"");

        Assert.Equal(2, code);
        Assert.Contains($"logs[0].{key}{file}', whose {line}", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Origin + ", \"witnesses\": \"/nowhere/policy\"", "logs[0].witnesses: is '/nowhere/policy', which cannot be read")]
    [InlineData(Origin, "logs[0].witnesses: is missing, but 'origin' is set.")]
    [InlineData("\"witnesses\": \"FILE\"", "logs[0].origin: is missing, but 'witnesses' is set.")]
    [InlineData("\"witnessedWithin\": \"01:00:00\"", "logs[0].witnessedWithin: is set, but 'witnesses' is not.")]
    [InlineData("\"origin\": \"a b\", \"witnesses\": \"FILE\"", "logs[0].origin: is 'a b'; it must be the log's origin")]
    [InlineData(Origin + ", \"witnesses\": \"FILE\", \"witnessedWithin\": \"00:00:01\"", "logs[0].witnessedWithin: is '00:00:01'")]
    public async Task Half_a_demand_and_values_that_cannot_be_are_refused(string keys, string fault)
    {
        using var folder = new Folder();
        var file = folder.File("policy", Witnesses + "group q 3 w1 w2 w3 w4\nquorum q\n");

        var (code, _, error) = await CheckAsync(folder, keys.Replace("FILE", file, StringComparison.Ordinal));

        Assert.Equal(2, code);
        Assert.Contains(fault, error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_changed_policy_file_is_looked_at_for_a_reload()
    {
        using var folder = new Folder();
        var file = folder.File("policy", "");

        var files = ConfigurationFile.FilesOf(folder.File("config", $$"""{ "logs": [{ "witnesses": "{{file}}" }] }"""));

        Assert.Contains(file, files);
    }

    private static string Witnesses => string.Concat(Four.Select(witness => witness.Line));

    private static Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string keys) =>
        Cli.RunAsync(["check-config", "--config", folder.File("config.json", $$"""
            { "stateDirectory": "{{folder.Path}}/state", "upstreams": [{ "name": "nixos", "url": "https://cache.nixos.org" }],
              "logs": [{ "name": "alice", "url": "https://alice", "publicKey": "{{Key}}", {{keys}} }] }
            """)]);
}
