using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The modules for nix-darwin and Home Manager, evaluated against stubs of both; and what a new flake begins with.</summary>
public sealed class OtherSystemsTests
{
    private const string Key = "proxy-1:kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=";

    private const string Client =
        $$"""services.trustix-client = { enable = true; url = "http://proxy.example:8080"; publicKey = "{{Key}}"; };""";

    [Theory]
    [InlineData("mac", "[ (root + \"/nix/modules/client.nix\") ]")]
    [InlineData("machine", "ours")]
    public async Task A_client_asks_the_proxy_alone_and_believes_its_key_alone(string system, string modules)
    {
        var client = await Command.EvaluateAsync($"stub.{system} ({modules} ++ [ {{ {Client} }} ])");
        var settings = client.GetProperty("nix").GetProperty("settings");

        Assert.Empty(Texts(client, "failed"));
        Assert.Empty(Texts(client, "warnings"));
        Assert.Equal(["http://proxy.example:8080"], Texts(settings, "substituters"));
        Assert.Equal([Key], Texts(settings, "trusted-public-keys"));
    }

    [Fact]
    public async Task A_client_that_is_off_changes_nothing()
    {
        var client = await MacAsync("services.trustix-client.enable = false;");

        Assert.Equal(["https://cache.nixos.org/"], Texts(client.GetProperty("nix").GetProperty("settings"), "substituters"));
    }

    [Fact]
    public async Task A_client_is_warned_of_what_would_bypass_the_vote()
    {
        var client = await MacAsync(
            Client, """nix.settings = { trusted-users = [ "@admin" ]; extra-substituters = "https://x"; };""");
        var warnings = string.Concat(Texts(client, "warnings"));

        Assert.Contains("services.trustix-client: nix.settings.trusted-users has @admin", warnings, StringComparison.Ordinal);
        Assert.Contains("services.trustix-client: nix.settings.extra-substituters has https://x", warnings, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("services.trustix-client.publicKey = stub.lib.mkForce \"AAAA\";", "publicKey is 'AAAA'; it must be name:base64")]
    [InlineData("services.trustix-client.url = stub.lib.mkForce \"proxy:8080\";", "url is 'proxy:8080'; it must be http(s)://host[:port].")]
    [InlineData("nix.enable = false;", "nix.enable is false, so this configuration does not write nix.conf. Write these lines there")]
    public async Task A_client_that_cannot_work_fails_the_evaluation_with_its_reason(string module, string expected) =>
        Assert.Contains(expected, Assert.Single(Texts(await MacAsync(Client, module), "failed")), StringComparison.Ordinal);

    [Fact]
    public async Task The_unit_of_one_user_starts_and_says_when_it_is_ready()
    {
        using var folder = new Folder();
        var user = await UserAsync($$"""
            services.trustix-proxy = {
              enable = true;
              settings = {
                upstreams = [ { name = "nixos"; url = "https://cache.nixos.org"; } ];
                caches = [ { name = "nixos"; url = "https://cache.nixos.org"; publicKeys = [ "{{Key}}" ]; } ];
                policy.quorum = 1;
              };
            };
            """);
        var unit = new Unit(user, "trustix-proxy");
        var section = user.GetProperty("systemd").GetProperty("services").GetProperty("trustix-proxy");

        Assert.Empty(Texts(user, "failed"));
        Assert.Equal("/home/user/.local/state/trustix-proxy", unit.Configuration.GetProperty("stateDirectory").GetString());
        Assert.Equal("http://127.0.0.1:8080", unit.Configuration.GetProperty("listen")[0].GetString());
        Assert.Equal(["default.target"], Texts(section, "wantedBy"));
        await unit.StartAndStopAsync(folder, new()
        {
            ["TRUSTIXPROXY__LISTEN__0"] = "http://127.0.0.1:0",
            ["TRUSTIXPROXY__OPERATIONS__LISTEN__0"] = "http://127.0.0.1:0",
            ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state")
        });
        Assert.True(File.Exists(folder.File("state/signing.key")), "the first start makes a key");
    }

    [SystemdTheory]
    [InlineData("services.trustix-proxy.enable = true;")]
    public async Task Systemd_knows_all_that_the_unit_of_one_user_says(string module)
    {
        using var folder = new Folder();

        Assert.Equal("", await new Unit(await UserAsync(module), "trustix-proxy").FindFaultsAsync(folder, "trustix-proxy"));
    }

    [Fact]
    public async Task A_user_cannot_have_a_port_of_roots()
    {
        var user = await UserAsync("services.trustix-proxy = { enable = true; port = 80; };");

        Assert.Contains("ports below 1024 need a privilege", Assert.Single(Texts(user, "failed")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_options_for_one_user_stand_in_the_documents()
    {
        var rows = await Command.EvaluateAsync("""stub.homeTable [ (root + "/nix/modules/home.nix") ]""");

        Assert.Contains(string.Join('\n', rows.EnumerateArray().Select(row => row.GetString())), Repository.Read("nix/README.md"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_flake_has_modules_for_other_systems_and_a_template_that_is_the_flake_of_the_readme()
    {
        var flake = await Command.EvaluateAsync("""
            let outputs = (import (root + "/flake.nix")).outputs { self = outputs // { packages.x86_64-linux.default = "ours"; };
                nixpkgs = { inherit (stub) lib; }; }; in
            {
              mac = outputs.darwinModules.default == outputs.nixosModules.trustix-client;
              home = (outputs.homeModules.default { inherit (stub) pkgs; }).services.trustix-proxy.package.content;
              template = toString outputs.templates.default.path;
            }
            """);
        var template = await File.ReadAllTextAsync(Path.Combine(flake.GetProperty("template").GetString()!, "flake.nix"));

        Assert.True(flake.GetProperty("mac").GetBoolean());
        Assert.Equal("ours", flake.GetProperty("home").GetString());
        Assert.Contains($"```nix\n{template}```", Repository.Read("README.md"), StringComparison.Ordinal);
    }

    private static Task<JsonElement> MacAsync(params string[] modules) => Command.EvaluateAsync(
        $"stub.mac [ (root + \"/nix/modules/client.nix\") {string.Concat(modules.Select(module => $"{{ {module} }} "))} ]");

    private static Task<JsonElement> UserAsync(string module) =>
        Command.EvaluateAsync($"stub.user [ (root + \"/nix/modules/home.nix\") {{ {module} }} ]");

    private static IEnumerable<string> Texts(JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray().Select(text => text.GetString()!);
}
