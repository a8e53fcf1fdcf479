using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>What doctor says of the keys that a client of GNU Guix believes.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "xunit disposes it through IAsyncLifetime")]
public sealed class GuixDoctorTests : IAsyncLifetime
{
    private GuixStage Stage { get; set; } = null!;

    private TestOutput Output { get; } = TestOutput.Make();

    public async Task InitializeAsync()
    {
        Stage = await GuixStage.StartAsync();
        Stage.Ci.Add(Output);
        Stage.Bordeaux.Add(Output);
    }

    public Task DisposeAsync() => Stage.DisposeAsync().AsTask();

    [Fact]
    public async Task A_client_that_believes_the_proxys_key_alone_is_well()
    {
        var (code, text, error) = await DoctorAsync(Acl(Stage.ClientKey));

        Assert.True(code is 0, error);
        Assert.Contains($"{File} has the proxy's key, and none that bypasses the vote\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_other_key_is_named_with_its_owner_and_the_remedy()
    {
        const string dsa = "(public-key (dsa (p #0BAD#) (y #CAFE#)))"; // a kind that only libgcrypt knows
        var stranger = new GuixFarmKey("stranger").PublicKey;
        var acl = Acl(Stage.Ci.Key.PublicKey, Stage.ClientKey, stranger).Replace("(acl", $"(acl (entry {dsa} (tag (guix import)))",
            StringComparison.Ordinal);

        var (code, text, error) = await DoctorAsync(acl);
        using var json = JsonDocument.Parse((await DoctorAsync(acl, ["--json"])).Output);

        Assert.Equal((1, ""), (code, error));
        Assert.Contains($"BYPASSES THE VOTE {dsa}: what it signs alone is installed", text, StringComparison.Ordinal);
        Assert.Contains($"BYPASSES THE VOTE {Stage.Ci.Key.PublicKey} of ci: what", text, StringComparison.Ordinal);
        Assert.Contains($"BYPASSES THE VOTE {stranger}: what", text, StringComparison.Ordinal);
        Assert.Contains("the farms may stay among the addresses of guix-daemon", text, StringComparison.Ordinal);
        Assert.EndsWith($"  printf '(acl)' > /etc/guix/acl; echo '{Stage.ClientKey}' | guix archive --authorize\n", text,
            StringComparison.Ordinal);
        var read = json.RootElement.GetProperty("acl");
        Assert.True(read.GetProperty("isProxyBelieved").GetBoolean());
        Assert.Equal([(dsa, null), ($"{Stage.Ci.Key.PublicKey}", "ci"), ($"{stranger}", null)], read.GetProperty("bypassing")
            .EnumerateArray().Select(key => (key.GetProperty("key").GetString()!, key.GetProperty("owner").GetString())));
    }

    [Fact]
    public async Task A_client_that_does_not_believe_the_proxy_is_told_how()
    {
        var (code, text, _) = await DoctorAsync("(acl)");

        Assert.Equal(1, code);
        Assert.Contains($"{File} lacks the proxy's key, so nothing that it serves is believed", text, StringComparison.Ordinal);
        Assert.EndsWith($"\n  echo '{Stage.ClientKey}' | guix archive --authorize\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_proxys_key_is_changed_both_keys_of_it_are_well()
    {
        var previous = NixSecretKey.Generate("proxy-0");
        var file = Stage.Folder.File("previous", previous.Export());
        var acl = Acl(GuixSecretKey.Of(previous).PublicKey, Stage.ClientKey);

        var planned = await DoctorAsync(acl, [], $"\"previousSigningKeyFiles\": [\"{file}\"],");
        var forgotten = await DoctorAsync(acl);

        Assert.Equal((0, 1), (planned.Code, forgotten.Code));
        Assert.Contains($"BYPASSES THE VOTE {GuixSecretKey.Of(previous).PublicKey}: ", forgotten.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_report_mode_the_key_of_the_fallback_is_needed_and_no_other()
    {
        var (code, text, _) = await DoctorAsync(
            Acl(Stage.ClientKey, Stage.Ci.Key.PublicKey), [], """ "mode": "report", "fallback": "ci", """);
        var other = await DoctorAsync(
            Acl(Stage.ClientKey, Stage.Bordeaux.Key.PublicKey), [], """ "mode": "report", "fallback": "ci", """);

        Assert.Equal((0, 1), (code, other.Code));
        Assert.Contains($"report mode needs {Stage.Ci.Key.PublicKey} in {File}: take it out when you enforce the vote\n", text,
            StringComparison.Ordinal);
        Assert.Contains($"BYPASSES THE VOTE {Stage.Bordeaux.Key.PublicKey} of bordeaux", other.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "it is not one (acl …)")]
    [InlineData("(acl", "it is not one (acl …)")]
    [InlineData("(acl) (acl)", "it is not one (acl …)")]
    [InlineData("acl", "it is not one (acl …)")]
    [InlineData("(acl é)", "it is not one (acl …)")]
    [InlineData("(acl (public-key))", "it has an entry that is not (entry (public-key …) (tag (guix import)))")]
    [InlineData("(acl (entry (public-key (rsa)) (tag (guix export))))", "Guix itself refuses such a file")]
    [InlineData("(acl (entry (private-key (rsa)) (tag (guix import))))", "write it anew")]
    public async Task A_file_that_is_no_list_of_keys_is_refused_by_name(string text, string told)
    {
        var (code, _, error) = await DoctorAsync(text);

        Assert.Equal(3, code);
        Assert.StartsWith($"--acl: '{File}' cannot be read: ", error, StringComparison.Ordinal);
        Assert.Contains(told, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_huge_file_a_folder_and_a_missing_file_are_refused_by_name()
    {
        var huge = await DoctorAsync($"(acl {new string(' ', 64 << 10)})");
        var device = await DoctorAsync(null, ["--acl", "/dev/zero"]);
        var folder = await DoctorAsync(null, ["--acl", Stage.Folder.Path]);
        var missing = await DoctorAsync(null, ["--acl", Stage.Folder.File("none")]);

        Assert.Equal((3, 3, 3, 3), (huge.Code, device.Code, folder.Code, missing.Code));
        Assert.Contains("it has more than 64 KiB.", huge.Error, StringComparison.Ordinal);
        Assert.Contains("'/dev/zero' cannot be read: it has more than 64 KiB.", device.Error, StringComparison.Ordinal);
        Assert.Contains($"--acl: '{Stage.Folder.Path}' cannot be read: ", folder.Error, StringComparison.Ordinal);
        Assert.Contains($"--acl: '{Stage.Folder.File("none")}' cannot be read: ", missing.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_is_of_guix_alone_and_the_proxy_must_have_a_key()
    {
        var nix = Stage.Folder.File("nix.json", $$"""{ "stateDirectory": "{{Stage.Folder.Path}}/nix" }""");
        System.IO.File.Delete(Stage.Folder.File("key"));

        var ofNix = await Cli.RunAsync(["doctor", "-", "--acl", "acl", "--config", nix], null, $"{Output.Path.Absolute}\n");
        var keyless = await DoctorAsync("(acl)");

        Assert.Equal((2, 3), (ofNix.Code, keyless.Code));
        Assert.Contains("--acl is 'acl', but the configuration is of /nix/store", ofNix.Error, StringComparison.Ordinal);
        Assert.Contains("is not checked, as the proxy has no key yet", keyless.Error, StringComparison.Ordinal);
    }

    private string File => Stage.Folder.File("acl");

    private static string Acl(params IEnumerable<GuixPublicKey> keys) =>
        $"(acl\n{string.Concat(keys.Select(key => $" (entry\n{key.ToLines()}  (tag (guix import)))\n"))})\n";

    /// <summary>Runs doctor over one path that both farms have.</summary>
    /// <param name="acl">The client's list; null where <paramref name="more"/> names one.</param>
    /// <param name="more">More of the command line.</param>
    /// <param name="keys">More keys of the configuration.</param>
    private async Task<(int Code, string Output, string Error)> DoctorAsync(string? acl, string[]? more = null, string keys = "")
    {
        if (acl is not null)
        {
            await System.IO.File.WriteAllTextAsync(File, acl);
        }

        var none = Directory.CreateDirectory(Stage.Folder.File("empty")).FullName;
        var (code, output, error) = await Cli.RunAsync(
            ["doctor", "-", "--config", Stage.Config(keys), .. acl is null ? [] : new[] { "--acl", File }, .. more ?? []],
            new() { ["PATH"] = none }, $"{FakeFarm.PathOf(Output).Absolute}\n");
        var said = error.Split('\n').Where(line => !line.StartsWith("installed paths are not checked", StringComparison.Ordinal));
        return (code, output, string.Join('\n', said));
    }
}
