namespace TrustixProxy.Tests;

/// <summary><c>check-config --explain</c> says what a policy does, so that one can hear what one has written.</summary>
public sealed class PolicySentencesTests
{
    private static readonly string[] Keys = ["kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=", "QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=",
        "PHJp0kZWS6ZWxX8Q2oQ0DXUbqDXkqtDNjPA3vVDQOFk="];

    private const string Cache = """{ "name": "farm", "url": "https://farm.example", "publicKeys": ["farm-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="] }""";

    [Fact]
    public async Task A_plain_policy_is_read_aloud() => Assert.Equal(
        """
        A path is served when 2 of the 3 operators alice, bob and carol claim the same output. An elector that proves another output is outvoted.
        alice is a log at https://alice.example/: each claim is proven under its signed head.
        bob is a log at https://bob.example/: each claim is proven under its signed head.
        carol is a log at https://carol.example/: each claim is proven under its signed head.
        Who does not answer within 10 s is silent; silence never lowers the bar.
        A content-addressed path is served without a vote, once its content is checked against its address.
        NARs come from main. Bytes that do not have the agreed hash are withheld.
        A 404 means that the path is not served, and X-Trustix-Decision says why; Nix goes on to its next substituter, or builds.
        A 503 means that too many ask at once: the client tries again later.

        """,
        await ExplainAsync("""{ "quorum": 2 }"""));

    [Theory]
    [InlineData("A path is served when all 3 operators alice, bob and carol claim the same output. An elector that proves another output "
        + "refuses the path, even if the rule does not count it.", """{ "quorum": 3, "dissent": "veto" }""")]
    [InlineData("A path is served when 2 of these 2 claim the same output: alice and (1 of bob and carol).",
        """{ "rule": { "quorum": 2, "of": ["alice", { "quorum": 1, "of": ["bob", "carol"] }] } }""")]
    [InlineData("A path is served when both operators alice and bob claim the same output.",
        """{ "rule": { "quorum": 2, "of": ["alice", "bob"] } }""")]
    [InlineData("A path is served when alice claims an output of it.", """{ "rule": { "quorum": 1, "of": ["alice"] } }""")]
    [InlineData("A path whose name matches 'linux-*' is served when all 3 operators alice, bob and carol claim the same output.",
        """{ "quorum": 2, "scopes": [{ "match": "linux-*", "quorum": 3 }] }""")]
    [InlineData("Any other path is served when 2 of the 3 operators", """{ "quorum": 2, "scopes": [{ "match": "linux-*", "quorum": 3 }] }""")]
    [InlineData("Logs must have held the votes of that quorum for 3 days and 12 hours; younger ones count as dissent only.",
        """{ "quorum": 2, "minimumAge": "3.12:00:00" }""")]
    [InlineData("A quorum must also span 2 different values of country: alice DE, bob DE and carol FR.",
        """{ "quorum": 2, "distinct": { "country": 2 } }""")]
    [InlineData("Whatever the rules grant, a path is served only if all that it refers to is served, too.",
        """{ "quorum": 2, "closure": true }""")]
    [InlineData("A content-addressed path needs votes like any other.", """{ "quorum": 2, "contentAddressed": false }""")]
    [InlineData("Until 2099-01-31 00:00 UTC, a path whose name matches 'blob-*' and that its rule refuses is served as the cache farm has "
        + "signed it (ticket 4711).", """
        { "quorum": 2, "exceptions": [{ "match": "blob-*", "accept": "cache:farm", "reason": "ticket 4711", "expires": "2099-01-31" }] }
        """, Cache)]
    [InlineData("The exception for 'blob-*' ended on 2020-01-31 00:00 UTC: its paths are refused again (ticket 4711).", """
        { "quorum": 2, "exceptions": [{ "match": "blob-*", "accept": "cache:farm", "reason": "ticket 4711", "expires": "2020-01-31" }] }
        """, Cache)]
    [InlineData("farm is a signed cache at https://farm.example/: its claim is what farm-1 has signed.", """{ "quorum": 2 }""", Cache)]
    [InlineData("Nothing is enforced (mode report): what the cache farm has signed is served with its own signature",
        """{ "quorum": 2 }""", Cache, """ "mode": "report", "fallback": "farm", """)]
    [InlineData("A 503 means that somebody who could have mattered did not answer; Nix tries again, and then fails.",
        """{ "quorum": 2 }""", "", """ "onUndecided": "unavailable", """)]
    [InlineData("Who does not answer within 1 minute and 2.5 s is silent;", """{ "quorum": 2 }""", "", """ "deadline": "00:01:02.5", """)]
    public async Task Each_part_of_a_policy_has_its_sentence(string sentence, string policy, string caches = "", string more = "") =>
        Assert.Contains(sentence, await ExplainAsync(policy, caches, more), StringComparison.Ordinal);

    [Fact]
    public async Task Where_nobody_votes_it_says_so()
    {
        using var folder = new Folder();
        var file = folder.File("proxy.json", $$"""{ "stateDirectory": "{{folder.Path}}" }""");

        var (code, output, _) = await Cli.RunAsync(["check-config", "--explain", "--config", file]);

        Assert.Equal(0, code);
        Assert.StartsWith("A path is never served by a vote: nobody votes.\n", output, StringComparison.Ordinal);
        Assert.Contains("No upstream is named, so there is no NAR to serve", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_has_no_policy_is_not_explained_and_what_is_faulty_neither()
    {
        using var folder = new Folder();
        var log = folder.File("log.json", """{ "logs": [{ "name": "a", "privateKeyFile": "k" }] }""");
        var faulty = folder.File("proxy.json", """{ "policy": { "quorum": 4 } }""");

        var ofLog = await Cli.RunAsync(["check-config", "--explain", "--config", log]);
        var ofFaulty = await Cli.RunAsync(["check-config", "--explain", "--config", faulty]);

        Assert.Equal((2, $"--explain: reads the policy of serve aloud, and '{log}' is of another verb.\n"),
            (ofLog.Code, ofLog.Error));
        Assert.Equal((2, ""), (ofFaulty.Code, ofFaulty.Output));
    }

    private static async Task<string> ExplainAsync(string policy, string caches = "", string more = "")
    {
        using var folder = new Folder();
        var logs = new[] { ("alice", "DE"), ("bob", "DE"), ("carol", "FR") }.Select((log, i) => $$"""{ "name": "{{log.Item1}}", "url": "https://{{log.Item1}}.example", "publicKey": "{{Keys[i]}}", "tags": { "country": "{{log.Item2}}" } }""");
        var file = folder.File("proxy.json", $$"""
            { {{more}} "stateDirectory": "{{folder.Path}}", "upstreams": [{ "name": "main", "url": "https://main.example" }],
              "logs": [{{string.Join(", ", logs)}}], "caches": [{{caches}}], "policy": {{policy}} }
            """);
        var (code, output, error) = await Cli.RunAsync(["check-config", "--explain", "--config", file]);
        Assert.True(code is 0, error);
        return output;
    }
}
