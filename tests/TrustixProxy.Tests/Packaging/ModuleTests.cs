using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The NixOS modules, evaluated against a stub of nixpkgs: there is no NixOS where these tests run.</summary>
public sealed class ModuleTests
{
    private const string Key = "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=", OtherKey = "QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=";

    private const string Proxy = $$"""
        services.trustix-proxy = {
          enable = true;
          configureNix = true;
          settings = {
            upstreams = [ { name = "nixos"; url = "https://cache.nixos.org"; } ];
            logs = [ { name = "a"; url = "https://a.example"; publicKey = "{{Key}}"; } { name = "b"; url = "https://b.example";
                publicKey = "{{OtherKey}}"; } ];
            policy.quorum = 2;
          };
        };
        """;

    private const string Log = $$"""
        services.trustix-log = {
          enable = true;
          logs = {
            alice = { privateKeyFile = "/secrets/alice"; origin = "alice.example/nix"; writeTokens = [ "builder:{{Key}}" ]; };
            bob.privateKeyFile = "/secrets/bob";
          };
        };
        """;

    private const string Publisher = """services.trustix-publisher = { enable = true; tokenFile = "/secrets/token"; log = "alice"; settings.exclude = [ "secret-*" ]; };""";

    [Fact]
    public async Task The_proxys_unit_starts_and_says_when_it_is_ready()
    {
        using var folder = new Folder();
        var machine = await MachineAsync(Proxy);
        var unit = new Unit(machine, "trustix-proxy");

        Assert.Empty(Texts(machine, "failed"));
        Assert.Empty(Texts(machine, "warnings"));
        Assert.Equal("/coreutils/bin/kill -HUP $MAINPID", unit.Service.GetProperty("ExecReload").GetString());
        await unit.StartAndStopAsync(folder, new()
        {
            ["TRUSTIXPROXY__LISTEN__0"] = "http://127.0.0.1:0",
            ["TRUSTIXPROXY__OPERATIONS__LISTEN__0"] = "http://127.0.0.1:0",
            ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state")
        });
        Assert.False(File.Exists(folder.File("state/signing.key")), "the key is the credential");
    }

    [Theory]
    [InlineData("trustix-proxy", Proxy)]
    [InlineData("trustix-publisher", Publisher)]
    public async Task A_unit_that_asks_others_is_told_of_the_machines_http_proxy(string name, string module)
    {
        var machine = await MachineAsync(
            $"{module} networking.proxy.envVars = {{ https_proxy = \"http://proxy:3128\"; no_proxy = \"corp\"; }};");

        var environment = machine.GetProperty("systemd").GetProperty("services").GetProperty(name).GetProperty("environment");
        Assert.Equal("http://proxy:3128", environment.GetProperty("https_proxy").GetString());
        Assert.Equal("corp", environment.GetProperty("no_proxy").GetString());
    }

    [Fact]
    public async Task The_logs_unit_starts_with_a_credential_for_each_log()
    {
        using var folder = new Folder();
        var machine = await MachineAsync(Log);
        var unit = new Unit(machine, "trustix-log");

        Assert.Empty(Texts(machine, "failed"));
        Assert.Equal(["alice.key:/secrets/alice", "bob.key:/secrets/bob"], Texts(unit.Service, "LoadCredential"));
        var logs = unit.Configuration.GetProperty("logs");
        Assert.Equal("alice.example/nix", logs[0].GetProperty("origin").GetString());
        Assert.False(logs[1].TryGetProperty("origin", out _));
        await unit.StartAndStopAsync(folder, new()
        {
            ["TRUSTIXPROXY__LISTEN__0"] = "http://127.0.0.1:0",
            ["TRUSTIXPROXY__PRIVATELISTEN__0"] = "http://127.0.0.1:0",
            ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state")
        });
        Assert.Equal(2, Directory.GetFiles(folder.File("state"), "*.sqlite").Length);
    }

    [Fact]
    public async Task The_log_asks_witnesses_as_configured_through_the_machines_http_proxy()
    {
        using var folder = new Folder();
        var file = folder.File("witnesses", $"{new TestWitness("w1", 1).Line.TrimEnd()} http://127.0.0.1:1\nquorum w1\n");
        var machine = await MachineAsync(Log, $$"""
            services.trustix-log.logs.alice.witnesses = { policyFile = "{{file}}"; interval = "00:00:30"; };
            networking.proxy.envVars.https_proxy = "http://proxy:3128";
            """);
        var unit = new Unit(machine, "trustix-log");

        var logs = unit.Configuration.GetProperty("logs");
        Assert.Equal("00:00:30", logs[0].GetProperty("witnesses").GetProperty("interval").GetString());
        Assert.False(logs[1].TryGetProperty("witnesses", out _));
        var environment = machine.GetProperty("systemd").GetProperty("services").GetProperty("trustix-log").GetProperty("environment");
        Assert.Equal("http://proxy:3128", environment.GetProperty("https_proxy").GetString());
        await unit.BuildAsync(folder);
    }

    [Fact]
    public async Task The_publishers_unit_starts_and_nix_runs_the_hook_that_fills_its_spool()
    {
        using var folder = new Folder();
        var machine = await MachineAsync(Publisher);
        var (unit, nix) = (new Unit(machine, "trustix-publisher"), machine.GetProperty("nix").GetProperty("settings"));

        Assert.Empty(Texts(machine, "failed"));
        Assert.Equal("export TRUSTIX_SPOOL='/var/spool/trustix'\nexec /package/libexec/trustix-proxy/post-build-hook\n",
            nix.GetProperty("post-build-hook").GetString());
        Assert.Equal("alice", unit.Configuration.GetProperty("log").GetProperty("name").GetString());
        Assert.Equal("/var/spool/trustix", unit.Configuration.GetProperty("spoolDirectory").GetString());
        await unit.StartAndStopAsync(folder, new() { ["TRUSTIXPROXY__SPOOLDIRECTORY"] = folder.File("spool") });
    }

    [Fact]
    public async Task The_rebuilders_unit_has_a_good_configuration_and_the_token_as_a_credential()
    {
        using var folder = new Folder();
        var machine = await MachineAsync(
            """services.trustix-rebuilder = { enable = true; wantedTokenFile = "/secrets/wanted"; settings.publicKeys = [ ]; };""",
            "networking.proxy.envVars.https_proxy = \"http://proxy:3128\";");
        var unit = new Unit(machine, "trustix-rebuilder");

        Assert.Empty(Texts(machine, "failed"));
        Assert.Equal(["wanted:/secrets/wanted"], Texts(unit.Service, "LoadCredential"));
        var services = machine.GetProperty("systemd").GetProperty("services");
        var environment = services.GetProperty("trustix-rebuilder").GetProperty("environment");
        Assert.Equal("%d/wanted", environment.GetProperty("TRUSTIXPROXY__REBUILDER__WANTEDTOKENFILE").GetString());
        Assert.Equal("http://proxy:3128", environment.GetProperty("https_proxy").GetString());
        var rebuilder = unit.Configuration.GetProperty("rebuilder");
        Assert.Equal("/var/spool/trustix", rebuilder.GetProperty("spoolDirectory").GetString());
        Assert.Equal("http://127.0.0.1:8081", rebuilder.GetProperty("wanted")[0].GetString());
        var bin = Directory.CreateDirectory(folder.File("bin")).FullName;
        RunnableFile.WriteScript(System.IO.Path.Combine(bin, "nix-build"), ""); // there is a sandbox
        await unit.StartAndStopAsync(folder, new()
        {
            ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}",
            ["TRUSTIXPROXY__REBUILDER__STORE"] = folder.File("store"),
            ["TRUSTIXPROXY__REBUILDER__SPOOLDIRECTORY"] = folder.File("spool"),
            ["TRUSTIXPROXY__REBUILDER__WANTED__0"] = "http://127.0.0.1:1",
        });
        Assert.True(Directory.Exists(folder.File("store/rebuilds")));
    }

    [SystemdTheory]
    [InlineData("trustix-proxy", Proxy)]
    [InlineData("trustix-log", Log)]
    [InlineData("trustix-publisher", Publisher)]
    [InlineData("trustix-rebuilder", """services.trustix-rebuilder = { enable = true; wantedTokenFile = "/secrets/wanted"; };""")]
    public async Task Systemd_knows_all_that_a_unit_says(string name, string module)
    {
        using var folder = new Folder();
        var unit = new Unit(await MachineAsync(module), name);

        Assert.Equal("", await unit.FindFaultsAsync(folder, name));
    }

    [Fact]
    public async Task Nix_trusts_the_key_that_is_made_at_the_first_boot_and_asks_nobody_else()
    {
        using var folder = new Folder();
        var machine = await MachineAsync(Proxy);
        var (nix, services) = (machine.GetProperty("nix"), machine.GetProperty("systemd").GetProperty("services"));
        var unit = services.GetProperty("trustix-proxy-key");

        for (var boot = 0; boot < 2; boot++)
        {
            await Command.RunAsync("sh", ["-euc", unit.GetProperty("script").GetString()!],
                new(Command.Quiet) { ["KEY"] = folder.File("signing.key"), ["RUNTIME_DIRECTORY"] = folder.Path });
        }

        var key = folder.File("nix.conf");
        var conf = Directory.CreateDirectory(folder.File("etc")).FullName;
        var settings = nix.GetProperty("settings").EnumerateObject().Select(setting => $"{setting.Name} = "
            + $"{(setting.Value.ValueKind is JsonValueKind.Array ? string.Join(' ', setting.Value.EnumerateArray()) : setting.Value)}");
        await File.WriteAllTextAsync(Path.Combine(conf, "nix.conf"), string.Join('\n', settings) + "\n" + nix.GetProperty("extraOptions")
            .GetString()!.Replace("/run/trustix-proxy-key", folder.Path, StringComparison.Ordinal));
        var shown = await Command.RunAsync("nix", ["show-config", "--store", "dummy://"],
            new(Command.Quiet) { ["NIX_CONF_DIR"] = conf, ["NIX_USER_CONF_FILES"] = "/dev/null" });
        Assert.Contains(await File.ReadAllTextAsync(key), shown, StringComparison.Ordinal);
        Assert.Contains("\nsubstituters = http://127.0.0.1:8080\n", shown, StringComparison.Ordinal);
        Assert.Contains("\nnarinfo-cache-negative-ttl = 60\n", shown, StringComparison.Ordinal);
        Assert.Contains("nix-daemon.service", Texts(unit, "before"));
        Assert.Contains("trustix-proxy-key.service", Texts(services.GetProperty("nix-daemon"), "wants"));
        Assert.Equal(
            ["signing.key:/var/lib/trustix-proxy-key/signing.key"], Texts(new Unit(machine, "trustix-proxy").Service, "LoadCredential"));
    }

    [Fact]
    public async Task With_both_halves_of_a_key_given_nothing_is_made()
    {
        var machine = await MachineAsync(Proxy, $$"""services.trustix-proxy = { signingKeyFile = "/secrets/key"; publicKey = "cache-1:{{Key}}"; address = "0.0.0.0"; port = 5000; openFirewall = true; };""");

        Assert.Empty(Texts(machine, "failed"));
        Assert.Empty(Texts(machine, "warnings"));
        Assert.False(machine.GetProperty("systemd").GetProperty("services").TryGetProperty("trustix-proxy-key", out _));
        Assert.Equal(
            $"cache-1:{Key}", machine.GetProperty("nix").GetProperty("settings").GetProperty("trusted-public-keys")[0].GetString());
        Assert.Equal(
            "http://127.0.0.1:5000", machine.GetProperty("nix").GetProperty("settings").GetProperty("substituters")[0].GetString());
        Assert.Equal("http://0.0.0.0:5000", new Unit(machine, "trustix-proxy").Configuration.GetProperty("listen")[0].GetString());
        Assert.Equal(5000, machine.GetProperty("ports")[0].GetInt32());
    }

    [Theory]
    [InlineData("services.trustix-proxy.port = 80;", "services.trustix-proxy.port is 80; ports below 1024 need")]
    [InlineData("services.trustix-proxy.openFirewall = true;",
        "services.trustix-proxy.openFirewall opens port 8080, but the proxy listens on 127.0.0.1 only. Set address")]
    [InlineData("services.trustix-proxy.publicKey = \"a:" + Key + "\";", "services.trustix-proxy.publicKey is set without signingKeyFile")]
    [InlineData("services.trustix-proxy = { publicKey = \"" + Key + "\"; signingKeyFile = \"/k\"; };",
        "publicKey is '" + Key + "'; it must be name:base64")]
    [InlineData("services.trustix-proxy.signingKeyFile = \"/nix/store/00000000000000000000000000000000-key\";",
        "signingKeyFile is in the Nix store, where everyone may read it")]
    [InlineData("services.trustix-proxy.settings.signingKeyFile = \"/k\";", "settings has signingKeyFile, which the service may not read")]
    [InlineData("services.trustix-proxy.settings.listen = [ \"unix:/run/proxy\" ];",
        "settings.listen lacks http://127.0.0.1:8080, where configureNix would have Nix ask")]
    [InlineData("services.trustix-log.enable = true;", "services.trustix-log.logs is empty. Name a log")]
    [InlineData("services.trustix-log = { enable = true; logs.a.privateKeyFile = \"/nix/store/00000000000000000000000000000000-key\"; };",
        "services.trustix-log.logs.a.privateKeyFile is in the Nix store")]
    [InlineData("services.trustix-log = { enable = true; logs.a.privateKeyFile = \"/k\"; settings.logs = [ { name = \"b\"; } ]; };",
        "services.trustix-log.settings has logs")]
    [InlineData("services.trustix-log = { enable = true; logs.a.privateKeyFile = \"/k\"; port = 443; };",
        "services.trustix-log.port is 443; ports below 1024")]
    [InlineData("services.trustix-log = { enable = true; logs.a.privateKeyFile = \"/k\"; openFirewall = true; };",
        "services.trustix-log.openFirewall opens port 8090, but the log listens on 127.0.0.1 only")]
    [InlineData("services.trustix-publisher = { enable = true; tokenFile = \"/nix/store/00000000000000000000000000000000-token\"; };",
        "services.trustix-publisher.tokenFile is in the Nix store")]
    [InlineData("services.trustix-publisher = { enable = true; tokenFile = \"/k\"; spoolDirectory = \"spool\"; };",
        "spoolDirectory is 'spool'; it must be an absolute path")]
    public async Task What_cannot_work_fails_the_evaluation_with_its_reason(string module, string expected)
    {
        var failed = Texts(await MachineAsync(Proxy, module), "failed");

        Assert.Contains(expected, Assert.Single(failed), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_would_bypass_the_vote_is_warned_of()
    {
        var warnings = string.Concat(Texts(
            await MachineAsync(Proxy, """nix.settings = { substituters = stub.lib.mkForce [ "https://cache.nixos.org" ]; extra-trusted-public-keys = "x:y"; trusted-substituters = [ "https://z" ]; trusted-users = [ "@wheel" ]; extra-trusted-users = "bob"; binary-caches = [ "https://y" ]; accept-flake-config = true; require-sigs = false; }; nix.extraOptions = "  extra-substituters = https://x\nkeep-outputs = true\n";"""), "warnings"));

        foreach (var expected in new[]
        {
            "nix.settings.substituters has https://cache.nixos.org, which bypasses the vote",
            "nix.settings.extra-trusted-public-keys has x:y, whose signature Nix would believe",
            "nix.settings.trusted-substituters has https://z, which any user may choose",
            "nix.settings.trusted-users has @wheel, who may name other substituters",
            "nix.settings.extra-trusted-users has bob, who may name other substituters",
            "nix.settings.binary-caches has https://y, which bypasses the vote",
            "nix.extraOptions has '  extra-substituters = https://x', which may bypass the vote",
            "nix.settings.accept-flake-config is true",
            "nix.settings.require-sigs is false",
        })
        {
            Assert.Contains(expected, warnings, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("keep-outputs", warnings, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_faulty_configuration_fails_the_build_of_the_system()
    {
        using var folder = new Folder();
        var unit = new Unit(await MachineAsync(Proxy, "services.trustix-proxy.settings.priority = 0;"), "trustix-proxy");

        var failure = await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => unit.BuildAsync(folder));

        Assert.Contains("priority: is '0'; it must be a whole number from 1 to 1000.", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("trustix-proxy")]
    [InlineData("trustix-log")]
    [InlineData("trustix-publisher")]
    public async Task Units_may_do_little_but_what_dotnet_needs(string name)
    {
        var service = new Unit(await MachineAsync(Proxy, Log, Publisher), name).Service;

        Assert.Equal(("notify", "on-failure", "strict", "EPERM"), (service.GetProperty("Type").GetString(), service.GetProperty("Restart")
            .GetString(), service.GetProperty("ProtectSystem").GetString(), service.GetProperty("SystemCallErrorNumber").GetString()));
        Assert.False(service.GetProperty("MemoryDenyWriteExecute").GetBoolean(), "the runtime compiles while it runs");
        Assert.Equal("", service.GetProperty("CapabilityBoundingSet").GetString());
        Assert.True(service.GetProperty("NoNewPrivileges").GetBoolean());
    }

    private static Task<JsonElement> MachineAsync(params string[] modules) =>
        Command.EvaluateAsync($"stub.machine (ours ++ [ {string.Concat(modules.Select(module => $"{{ {module} }} "))} ])");

    private static IEnumerable<string> Texts(JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray().Select(text => text.GetString()!);
}
