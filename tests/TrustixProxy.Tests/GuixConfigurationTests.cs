using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>The configuration for GNU Guix: what <c>init</c> writes, what is refused, and what is warned of.</summary>
public sealed class GuixConfigurationTests
{
    private const string Point = "#8D156F295D24B0D9A86FA5741A840FF2D24F60F7B6C4134814AD55625971B394#",
        Key = $"(public-key (ecc (curve Ed25519) (q {Point})))";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_preset_farms_is_a_working_configuration_of_which_both_farms_must_agree(bool reports)
    {
        using var folder = new Folder();

        var made = await Cli.RunAsync(
            ["init", "--preset", "farms", "--offline", "--directory", folder.Path, .. reports ? ["--report"] : Array.Empty<string>()]);
        var check = await CheckAsync(folder);
        var shown = await Cli.RunAsync(["keygen", "--guix", folder.File("signing.key")]);

        Assert.True(made.Code is 0 && check.Code is 0, made.Error + check.Error);
        using var written = JsonDocument.Parse(await File.ReadAllTextAsync(folder.File("trustix-proxy.json")));
        Assert.Equal("/gnu/store", written.RootElement.GetProperty("store").GetString());
        Assert.Equal(2, written.RootElement.GetProperty("policy").GetProperty("quorum").GetInt32());
        Assert.Equal(reports, written.RootElement.TryGetProperty("mode", out _));
        Assert.True(GuixPublicKey.TryParse(shown.Output, out var key, out _), shown.Output);
        Assert.Equal(key.ToLines(), shown.Output);
        Assert.Contains($"'{key}' | guix archive --authorize", made.Output, StringComparison.Ordinal);
        Assert.Contains(key.Bytes.Length > 0 ? "--substitute-urls=" : "", made.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Report_belongs_to_the_preset_farms()
    {
        using var folder = new Folder();

        var refused = await Cli.RunAsync(["init", "--preset", "watch", "--report", "--directory", folder.Path]);

        Assert.Equal(2, refused.Code);
        Assert.Contains("\n--report: is given", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/opt/store", Key, "", "store: is '/opt/store'; it must be \"/nix/store\" or \"/gnu/store\".")]
    [InlineData("/gnu/store", "ci-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", "", "is no (public-key …); with \"store\"")]
    [InlineData("/gnu/store", "(public-key (ecc (curve Ed25519) (flags eddsa) (q #00#)))", "", "is a kind of key that Guix does not")]
    [InlineData("/gnu/store", "(public-key (ecc (curve Ed25519) (q #00#)))", "", "is no valid key of its kind")]
    [InlineData("/gnu/store", Key + "|" + Key, "", "twice; remove one.")]
    [InlineData("/gnu/store", Key, "lila", "caches[0].protocol: is 'lila', whose rebuilders build for /nix/store only")]
    [InlineData("/nix/store", Key, "", "which has no colon; a key is name:base64")]
    [InlineData("/gnu/store", "", "", "as in its signing-key.pub: [")]
    public async Task What_does_not_fit_the_store_is_refused_with_a_remedy(string store, string keys, string protocol, string message)
    {
        using var folder = new Folder();
        await WriteAsync(folder, store, keys.Length is 0 ? null : keys.Split('|'), protocol);

        var check = await CheckAsync(folder);

        Assert.Equal(2, check.Code);
        Assert.Contains(message, check.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("\n\t ")]
    public async Task A_key_may_have_lines_as_the_files_of_guix_have_them(string end)
    {
        using var folder = new Folder();
        var lines = Key.Replace(" (", $" {end}(", StringComparison.Ordinal) + end;
        await WriteAsync(folder, "/gnu/store", [lines], "");
        var check = await CheckAsync(folder);
        await WriteAsync(folder, "/gnu/store", null, "");
        var variable = await CheckAsync(folder, new() { ["TRUSTIXPROXY__CACHES__0__PUBLICKEYS__0"] = lines });
        await WriteAsync(folder, "/gnu/store", [lines, Key], "");
        var twice = await CheckAsync(folder);
        await WriteAsync(folder, "/gnu/store", [lines.Replace("#)", "00#)", StringComparison.Ordinal)], "");
        var bad = await CheckAsync(folder);

        Assert.True(check.Code is 0 && variable.Code is 0, check.Error + variable.Error);
        Assert.Equal((2, 2), (twice.Code, bad.Code));
        Assert.Contains($"has the key '{Key}' twice; remove one.", twice.Error, StringComparison.Ordinal);
        Assert.Contains($"has '{Key.Replace("#)", "00#)", StringComparison.Ordinal)}', which is no valid key", bad.Error,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/nix/store", "cache-1:\n6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=")]
    [InlineData("/gnu/store", "(public-key\u001b)")]
    public async Task Other_control_characters_and_lines_in_a_key_of_nix_are_refused(string store, string key)
    {
        using var folder = new Folder();
        await WriteAsync(folder, store, [key], "");

        var check = await CheckAsync(folder);

        Assert.Equal(2, check.Code);
        Assert.Contains("has a text with a control character; remove it.", check.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_rsa_key_of_two_caches_is_refused_whatever_zeros_stand_before_its_numbers()
    {
        using var folder = new Folder();
        var key = string.Join(' ', (await File.ReadAllTextAsync("Vectors/guix/rsa.pub")).Split((char[]?)null,
            StringSplitOptions.RemoveEmptyEntries));
        await File.WriteAllTextAsync(folder.File("trustix-proxy.json"), JsonSerializer.Serialize(new
        {
            store = "/gnu/store",
            upstreams = new[] { new { name = "ci", url = "https://ci.example" } },
            caches = new[]
            {
                new { name = "ci", url = "https://ci.example", publicKeys = new[] { key } },
                new { name = "other", url = "https://other.example",
                    publicKeys = new[] { key.Replace("#00", "#000000", StringComparison.Ordinal) } },
            },
            policy = new { quorum = 2 },
        }));

        var check = await CheckAsync(folder);

        Assert.Equal(2, check.Code);
        Assert.Contains("caches: has one publicKey for 'ci' and 'other'; one key would vote twice. Keep one of them.", check.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_client_of_guix_cannot_use_is_warned_of()
    {
        using var folder = new Folder();
        var passwords = folder.File("passwords");
        await File.WriteAllTextAsync(passwords, "alice:secret\n");
        File.SetUnixFileMode(passwords, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await WriteAsync(folder, "/gnu/store", [Key], "", "unavailable", passwords);

        var check = await CheckAsync(folder);

        Assert.Equal(0, check.Code);
        Assert.Contains("onUndecided: \"unavailable\" makes no Guix client wait", check.Error + check.Output, StringComparison.Ordinal);
        Assert.Contains("clients: Guix sends no credentials", check.Error + check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keygen_shows_the_public_half_of_an_existing_key_only()
    {
        using var folder = new Folder();
        await File.WriteAllTextAsync(folder.File("bad"), "no key");

        var missing = await Cli.RunAsync(["keygen", "--guix", folder.File("signing.key")]);
        var bad = await Cli.RunAsync(["keygen", "--guix", folder.File("bad")]);

        Assert.Equal((2, 2), (missing.Code, bad.Code));
        Assert.Contains("which does not exist; create a key with: trustix-proxy keygen", missing.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("signing.key")));
    }

    private static Task WriteAsync(Folder folder, string store, string[]? keys, string protocol,
        string onUndecided = "notFound", string? passwords = null) =>
        File.WriteAllTextAsync(folder.File("trustix-proxy.json"), JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["store"] = store,
            ["onUndecided"] = onUndecided,
            ["upstreams"] = new[] { new { name = "ci", url = "https://ci.example" } },
            ["caches"] = new[]
            {
                new Dictionary<string, object?> { ["name"] = "ci", ["url"] = "https://ci.example" }
                    .Concat(keys is null ? [] : [KeyValuePair.Create("publicKeys", (object?)keys)])
                    .Concat(protocol.Length is 0 ? [] : [KeyValuePair.Create("protocol", (object?)protocol)]).ToDictionary(),
            },
        }.Concat(passwords is null ? [] : [KeyValuePair.Create("clients", (object?)new { basicFile = passwords })]).ToDictionary()));

    private static Task<(int Code, string Output, string Error)> CheckAsync(
        Folder folder, Dictionary<string, string>? environment = null) =>
        Cli.RunAsync(["check-config", "--config", folder.File("trustix-proxy.json")],
            new(environment ?? []) { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state") });
}
