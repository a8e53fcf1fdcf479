namespace TrustixProxy.Tests;

public sealed class PolicyConfigurationTests
{
    private const string KeyA = "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=", KeyB = "QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=";
    private const string NixosKey = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

    private const string Electors = $$"""
        "logs": [{ "name": "alice", "url": "https://alice", "publicKey": "{{KeyA}}" }, { "name": "bob2", "operator": "bob",
            "url": "https://bob", "publicKey": "{{KeyB}}" }],
        "caches": [{ "name": "nixos", "url": "https://cache.nixos.org", "publicKeys": ["{{NixosKey}}"] }]
        """;

    [Theory]
    [InlineData("{}", "2 of 3")]
    [InlineData("{ \"quorum\": 3 }", "3 of 3")]
    [InlineData("{ \"percent\": 66.6 }", "2 of 3")]
    [InlineData("{ \"percent\": 66.7 }", "3 of 3")]
    [InlineData("{ \"percent\": 0.1 }", "1 of 3")]
    [InlineData("{ \"rule\": { \"quorum\": 2, \"of\": [\"alice\", { \"quorum\": 1, \"of\": [\"bob\", \"nixos\"] }] } }",
        "2 of (alice, 1 of (bob, nixos))")]
    [InlineData("{ \"scopes\": [{ \"match\": \"linux-*\", \"quorum\": 3, \"dissent\": \"veto\" }], \"exceptions\": [{ \"match\": \"x-?\", "
        + "\"accept\": \"cache:nixos\", \"reason\": \"r\", \"expires\": \"2031-01-01\" }], \"contentAddressed\": false, \"closure\": "
        + "true }", "2 of 3")]
    public async Task A_good_policy_is_summed_up(string policy, string rule)
    {
        var (code, output, error) = await CheckAsync(policy);

        Assert.True(code is 0, error);
        Assert.Contains($"valid for serve: {rule} operators must agree", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"quorum\": 4 }", "policy.quorum: is 4; it must be from 1 to 3, the number of operators of the electors.")]
    [InlineData("{ \"percent\": 101 }", "policy.percent: is '101'; it must be above 0 and at most 100")]
    [InlineData("{ \"percent\": 0 }", "policy.percent: is '0'")]
    [InlineData(
        "{ \"rule\": { \"of\": [\"alice\"] } }", "policy.rule.quorum: is missing; a group says how many of its members must agree.")]
    [InlineData("{ \"rule\": { \"quorum\": 1 } }", "policy.rule.of: is missing or empty")]
    [InlineData("{ \"rule\": { \"quorum\": 3, \"of\": [\"alice\", \"bob\"] } }",
        "policy.rule.quorum: is '3'; it must be a whole number from 1 to 2.")]
    [InlineData(
        "{ \"rule\": { \"quorum\": 1, \"of\": [\"eve\"] } }", "policy.rule.of: has 'eve', which is no operator. Known: alice, bob, nixos.")]
    [InlineData("{ \"rule\": { \"quorum\": 1, \"of\": [\"bob2\"] } }", "which is an elector of the operator 'bob': name that")]
    [InlineData("{ \"rule\": { \"quorum\": 2, \"of\": [\"alice\", { \"quorum\": 1, \"of\": [\"alice\"] }] } }",
        "policy.rule.of[1].of: has 'alice' twice; an operator has one vote in a rule.")]
    [InlineData("{ \"rule\": { \"quorum\": 1, \"of\": [\"alice\"] }, \"quorum\": 1 }", "policy.quorum: is set together with 'rule'")]
    [InlineData("{ \"scopes\": [{ \"quorum\": 1 }] }", "policy.scopes[0].match: is missing")]
    [InlineData("{ \"scopes\": [{ \"match\": \"a/b\" }] }", "policy.scopes[0].match: is 'a/b'; it must be a pattern of store path names")]
    [InlineData("{ \"exceptions\": [{ \"match\": \"x\", \"accept\": \"cache:eve\", \"reason\": \"r\", \"expires\": \"2031-01-01\" }] }",
        "policy.exceptions[0].accept: is 'cache:eve', but 'caches' has no cache of that name.")]
    [InlineData("{ \"exceptions\": [{ \"match\": \"x\", \"accept\": \"yes\", \"reason\": \"r\", \"expires\": \"2031-01-01\" }] }",
        "policy.exceptions[0].accept: is 'yes'; it must be \"cache:NAME\"")]
    [InlineData("{ \"exceptions\": [{ \"match\": \"x\", \"accept\": \"cache:nixos\", \"expires\": \"2031-01-01\" }] }",
        "policy.exceptions[0].reason: is missing")]
    [InlineData("{ \"exceptions\": [{ \"match\": \"x\", \"accept\": \"cache:nixos\", \"reason\": \"r\" }] }",
        "policy.exceptions[0].expires: is missing")]
    [InlineData("{ \"exceptions\": [{ \"match\": \"x\", \"accept\": \"cache:nixos\", \"reason\": \"r\", \"expires\": \"soon\" }] }",
        "policy.exceptions[0].expires: is 'soon'; it must be a day or a time in UTC")]
    [InlineData("{ \"closure\": \"maybe\" }", "policy.closure: is 'maybe'; it must be true or false.")]
    public async Task A_faulty_policy_is_refused_with_key_value_and_remedy(string policy, string expected)
    {
        var (code, _, error) = await CheckAsync(policy);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"mode\": \"report\"", "fallback: is missing; in report mode it names the cache")]
    [InlineData("\"mode\": \"report\", \"fallback\": \"alice\"", "fallback: is 'alice', but 'caches' has no cache of that name.")]
    [InlineData("\"mode\": \"maybe\"", "mode: is 'maybe'; it must be \"enforce\" or \"report\".")]
    public async Task A_faulty_mode_is_refused(string mode, string expected)
    {
        var (code, _, error) = await CheckAsync("{}", mode);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_weaker_than_it_looks_is_said()
    {
        var (code, _, error) = await CheckAsync("{ \"rule\": { \"quorum\": 1, \"of\": [\"alice\", { \"quorum\": 1, \"of\": [\"bob\", "
            + "\"nixos\"] }] }, \"scopes\": [{ \"match\": \"linux-*\", \"quorum\": 1 }] }",
            "\"mode\": \"report\", \"fallback\": \"nixos\"");

        Assert.Equal(0, code);
        Assert.Contains("policy.rule: 1 of (alice, 1 of (bob, nixos)) can be met by two disjoint sets of operators", error,
            StringComparison.Ordinal);
        Assert.Contains("policy.scopes 'linux-*'.quorum: 1 of 3 is at most half", error, StringComparison.Ordinal);
        Assert.Contains("mode: \"report\" enforces nothing", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"distinct\": { \"country\": 2 }", "")]
    [InlineData("\"distinct\": { \"country\": 3 }", "policy.distinct: demands 3 different values of country, but the operators have 2")]
    [InlineData("\"distinct\": { \"country\": 0 }", "policy.distinct: demands '0' values of 'country'; it must be a whole number from 1.")]
    [InlineData("\"distinct\": { \"con=try\": 1 }", "policy.distinct: is no such object; it must be an object of names and values")]
    [InlineData("\"distinct\": \"country\"", "policy.distinct: is 'country'; it must be an object of names and values")]
    public async Task A_quorum_can_be_told_to_span_values_of_tags(string distinct, string fault)
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}",
              "logs": [{ "name": "alice", "url": "https://alice", "publicKey": "{{KeyA}}", "tags": { "country": "DE" } }],
              "caches": [{ "name": "nixos", "url": "https://cache.nixos.org", "tags": { "country": "FR", "system": "hydra" },
                  "publicKeys": ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="] }],
              "upstreams": [{ "name": "main", "url": "https://cache.nixos.org" }],
              "policy": { {{distinct}} }
            }
            """);

        Assert.Equal((fault.Length is 0 ? 0 : 2, true), (code, error.Contains(fault, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("\"minimumAge\": \"3.00:00:00\"", "")]
    [InlineData("\"quorum\": 2, \"scopes\": [{ \"match\": \"x\", \"quorum\": 1, \"minimumAge\": \"01:00:00\" }]", "")]
    [InlineData("\"quorum\": 2, \"minimumAge\": \"01:00:00\"", "policy.minimumAge: is '01:00:00', but the rule 2 of 2 cannot be met by "
        + "operators with a log (alice): signed caches and proof files show no age, so nothing would be served.")]
    [InlineData("\"minimumAge\": \"99.00:00:00\"", "policy.minimumAge: is '99.00:00:00'; it must be a time hh:mm:ss[.fff] from 00:00:00 "
        + "to 90.00:00:00.")]
    public async Task A_quorum_can_be_told_to_have_an_age_that_its_logs_can_show(string rule, string fault)
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}",
              "logs": [{ "name": "alice", "url": "https://alice", "publicKey": "{{KeyA}}" }],
              "caches": [{ "name": "nixos", "url": "https://cache.nixos.org",
                  "publicKeys": ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="] }],
              "upstreams": [{ "name": "main", "url": "https://cache.nixos.org" }],
              "policy": { {{(rule.Contains("quorum", StringComparison.Ordinal) ? rule : $"\"quorum\": 1, {rule}")}} }
            }
            """);

        Assert.Equal((fault.Length is 0 ? 0 : 2, true), (code, error.Contains(fault, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_key_under_two_operators_and_our_own_key_are_refused_by_their_bytes_whatever_they_are_called()
    {
        using var folder = new Folder();
        var (ours, before) = (await KeyAsync("signing.key"), await KeyAsync("old.key"));
        var (code, _, error) = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}",
              "logs": [{ "name": "alice", "url": "https://alice", "publicKey": "{{KeyA}}" }],
              "caches": [{ "name": "one", "url": "https://one", "publicKeys": ["x:{{KeyA}}", "short"] }, { "name": "two",
                  "url": "https://two", "publicKeys": ["y:{{ours}}"] }, { "name": "three", "url": "https://three" }, { "name": "four",
                  "url": "https://four", "publicKeys": ["z:{{before}}"] }],
              "previousSigningKeyFiles": ["{{folder.File("old.key")}}"]
            }
            """);

        Assert.Equal(2, code);
        Assert.Contains("caches: has this proxy's own signing key for 'four'", error, StringComparison.Ordinal);
        Assert.Contains("caches: has one publicKey for 'alice' and 'one'; one key would vote twice.", error,
            StringComparison.Ordinal);
        Assert.Contains("caches: has this proxy's own signing key for 'two'", error, StringComparison.Ordinal);
        Assert.Contains("caches[0].publicKeys: has 'short', which has no colon", error, StringComparison.Ordinal);
        Assert.Contains("caches[2].publicKeys: is missing.", error, StringComparison.Ordinal);

        async Task<string> KeyAsync(string file)
        {
            await Cli.RunAsync(["keygen", folder.File(file), "--name", "us"]);
            return Convert.ToBase64String(
                Convert.FromBase64String((await File.ReadAllTextAsync(folder.File(file))).Trim().Split(':')[1])[32..]);
        }
    }

    private static async Task<(int Code, string Output, string Error)> CheckAsync(string policy, string mode = "\"mode\": \"enforce\"")
    {
        using var folder = new Folder();
        return await CheckAsync(folder, $$"""{ "stateDirectory": "{{folder.Path}}", {{Electors}}, "policy": {{policy}}, {{mode}} }""");
    }

    private static Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string json) =>
        Cli.RunAsync(["check-config", "--config", folder.File("config.json", json)]);
}
