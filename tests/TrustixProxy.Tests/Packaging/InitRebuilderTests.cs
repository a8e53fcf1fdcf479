using System.Security.Cryptography;
using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The preset second-voice: its rebuilders' keys are typed, or fetched once, shown and confirmed.</summary>
public sealed class InitRebuilderTests
{
    private static readonly NixPublicKey Nora = NixSecretKey.Generate("nora-1").PublicKey, Otto = NixSecretKey.Generate("otto-1").PublicKey,
        Uwe = NixSecretKey.Generate("uwe-1").PublicKey;

    [Fact]
    public async Task Some_of_the_rebuilders_and_the_cache_must_agree_and_it_is_only_reported_at_first()
    {
        using var folder = new Folder();

        var (code, output, error) = await InitAsync(folder, "", "--quorum", "2",
            "--rebuilder", $"nora,https://lila.example,{Nora}", "--rebuilder", $"otto,https://lila.example,{Otto}",
            "--rebuilder", $"uwe,https://other.example,{Uwe}");
        var check = await Cli.RunAsync(["check-config", "--config", folder.File("trustix-proxy.json")],
            new() { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state") });

        Assert.True(code is 0, error);
        Assert.True(check.Code is 0, check.Error);
        Assert.StartsWith("valid for serve: 2 of (cache.nixos.org, 2 of (nora, otto, uwe)) operators must agree", check.Output,
            StringComparison.Ordinal);
        using var made = Read(folder);
        var root = made.RootElement;
        Assert.Equal(("report", "cache.nixos.org"), (root.GetProperty("mode").GetString(), root.GetProperty("fallback").GetString()));
        Assert.Equal(["", "lila", "lila", "lila"], root.GetProperty("caches").EnumerateArray()
            .Select(cache => cache.TryGetProperty("protocol", out var protocol) ? protocol.GetString() : ""));
        Assert.Contains(" cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=\n", output, StringComparison.Ordinal);
        Assert.Contains("Then remove \"mode\" and \"fallback\"", output, StringComparison.Ordinal);
        var module = folder.File(
            "module.nix", $"{{ lib, ... }}: {{\n{output[output.IndexOf("  services.trustix-", StringComparison.Ordinal)..]}\n}}\n");
        var machine = await Command.EvaluateAsync($"stub.machine (ours ++ [ {module} ])");
        Assert.Equal(0, machine.GetProperty("failed").GetArrayLength());
        Assert.Equal(2, machine.GetProperty("nix").GetProperty("settings").GetProperty("trusted-public-keys").GetArrayLength());
    }

    [Fact]
    public async Task A_fetched_key_is_shown_with_fingerprint_and_source_and_written_once_confirmed()
    {
        using var folder = new Folder();
        await using var server = await FakeUpstream.StartAsync();
        server.AddFile("/keys", System.Text.Encoding.ASCII.GetBytes($"{Nora}\n{Otto}\n"));
        var source = $"{server.Url}keys#otto-1";

        var (code, _, error) = await InitAsync(folder, "yes\n", "--rebuilder", $"otto,https://lila.example,{source}");

        Assert.True(code is 0, error);
        Assert.Contains($"otto: {Otto}", error, StringComparison.Ordinal);
        Assert.Contains(
            $"SHA256:{Convert.ToBase64String(SHA256.HashData(Otto.Bytes)).TrimEnd('=')}\n", error, StringComparison.Ordinal);
        Assert.Contains(source, error, StringComparison.Ordinal);
        Assert.Single(server.Requests);
        using var made = Read(folder);
        Assert.Equal([Otto.ToString()], made.RootElement.GetProperty("caches")[1].GetProperty("publicKeys").EnumerateArray()
            .Select(key => key.GetString()));
    }

    [Theory]
    [InlineData("no\n", "#otto-1", 1, "the key of 'otto' was not confirmed; nothing was written.")]
    [InlineData("", "#otto-1", 1, "the key of 'otto' was not confirmed; nothing was written.")]
    [InlineData("y\n", "#otto-1", 1, "the key of 'otto' was not confirmed; nothing was written.")]
    [InlineData("yes\n", "", 1, "has several keys: nora-1, otto-1. Add #NAME to the address")]
    [InlineData("yes\n", "#uwe-1", 1, "has no line name:base64 with the name 'uwe-1'")]
    [InlineData("yes\n", "/none", 1, "404")]
    public async Task A_key_that_nobody_confirmed_is_not_written(string answers, string end, int exit, string told)
    {
        using var folder = new Folder();
        await using var server = await FakeUpstream.StartAsync();
        server.AddFile("/keys", System.Text.Encoding.ASCII.GetBytes($"{Nora}\n{Otto}\n"));

        var (code, _, error) = await InitAsync(folder, answers, "--rebuilder", $"otto,https://lila.example,{server.Url}keys{end}");

        Assert.Equal(exit, code);
        Assert.Contains(told, error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task Keys_are_fetched_over_https_only()
    {
        using var folder = new Folder();

        var (code, _, error) = await InitAsync(folder, "yes\n", "--rebuilder", "otto,https://lila.example,http://keys.invalid/otto");

        Assert.Equal(1, code);
        Assert.Contains("'http://keys.invalid/otto' is no https address.", error, StringComparison.Ordinal);
    }

    private static JsonDocument Read(Folder folder) => JsonDocument.Parse(File.ReadAllBytes(folder.File("trustix-proxy.json")));

    private static Task<(int Code, string Output, string Error)> InitAsync(Folder folder, string answers, params string[] arguments) =>
        Cli.RunAsync(["init", "--preset", "second-voice", "--offline", "--directory", folder.Path, .. arguments], null, answers);
}
