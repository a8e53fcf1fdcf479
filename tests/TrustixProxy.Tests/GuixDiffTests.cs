using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>diff and audit-cache over farms of GNU Guix.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "xunit disposes it through IAsyncLifetime")]
public sealed class GuixDiffTests : IAsyncLifetime
{
    private GuixStage Stage { get; set; } = null!;

    private TestOutput Output { get; } = TestOutput.Make("hello-1.0", 20_000);

    private string Path => FakeFarm.PathOf(Output).Absolute;

    public async Task InitializeAsync() => Stage = await GuixStage.StartAsync();

    public Task DisposeAsync() => Stage.DisposeAsync().AsTask();

    [Theory]
    [InlineData("none")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task Two_farms_outputs_are_compared_by_a_path_or_a_base_name(string compression)
    {
        Stage.Ci.Add(Output, null, null, compression);
        Stage.Bordeaux.Add(Output.Forge(), null, null, compression);

        var (code, text, error) = await DiffAsync(Path);
        var named = await DiffAsync(Output.Path.ToString(), "--between", "bordeaux", "bordeaux");

        Assert.Equal((1, ""), (code, error));
        Assert.StartsWith($"{Path}\na is ci: sha256:", text, StringComparison.Ordinal);
        Assert.Contains("\n1 changed, 0 removed (only in a), 0 added (only in b), 0 same\n", text, StringComparison.Ordinal);
        Assert.Equal((0, ""), (named.Code, named.Error));
        Assert.StartsWith($"{Path}\n", named.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_path_of_the_other_store_is_refused_where_farms_are_asked_and_files_need_no_store()
    {
        var file = Stage.Folder.File("a.nar");
        await File.WriteAllBytesAsync(file, Output.Nar);

        var asked = await DiffAsync(Output.Path.Absolute);
        var files = await DiffAsync(Output.Path.Absolute, "--between", file, file);
        var unconfigured = await Cli.RunAsync(["diff", Path, "--between", file, file], new() { ["XDG_STATE_HOME"] = Stage.Folder.Path });

        Assert.Equal((2, 0, 0), (asked.Code, files.Code, unconfigured.Code));
        Assert.Contains($"PATH is '{Output.Path.Absolute}', which is not in /gnu/store: name paths of that store.", asked.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_machines_own_output_is_one_of_the_two()
    {
        Stage.Ci.Add(Output);

        var (code, _, error) = await DiffAsync(Path, "--between", "ci", "local");

        Assert.Equal(3, code); // there is no Guix here: the suite of the real Guix has one
        Assert.NotEqual("", error);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task A_farms_nars_are_audited_with_its_signatures_in_the_store_of_the_configuration(string compression)
    {
        var libc = TestOutput.Make("libc");
        var tool = TestOutput.Make("tool", 20_000, libc.Path);
        Stage.Ci.Add(libc, null, null, compression);
        Stage.Ci.Add(tool, null, null, compression);
        var state = Stage.Folder.File("audit.json");
        string[] arguments = ["audit-cache", "ci", "--closure", $"{tool.Path}", "--state", state, "--config", Stage.Config()];

        var good = await Cli.RunAsync(arguments);
        var again = await Cli.RunAsync(arguments);
        var other = await Cli.RunAsync([.. arguments[..4], "--config", Stage.Config(), "--public-key", $"{Stage.Bordeaux.Key.PublicKey}"]);

        Assert.Equal((0, ""), (good.Code, good.Error));
        Assert.Matches(": 2 paths\n  right +2\n$", good.Output);
        Assert.Equal((0, true), (again.Code, again.Output.Contains("(2 checked earlier)", StringComparison.Ordinal)));
        Assert.Equal(1, other.Code);
        Assert.Contains($"WRONG {FakeFarm.PathOf(tool).Absolute}\n  signature: the narinfo says signed; found: no valid signature by "
            + $"{Stage.Bordeaux.Key.PublicKey}\n", other.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_farm_whose_nar_is_not_what_it_signed_is_found_without_a_configuration()
    {
        Stage.Ci.Add(Output, null, null, "gzip");
        Stage.Ci.Serve($"/nar/gzip/{Output.Path}", Output.Forge().File("gzip"));
        string[] arguments = ["audit-cache", $"{Stage.Ci.Url}", Path, "--public-key", Stage.Ci.Key.PublicKey.ToLines()];
        var environment = new Dictionary<string, string> { ["XDG_STATE_HOME"] = Stage.Folder.Path };

        var (code, text, error) = await Cli.RunAsync([.. arguments, "--store", "/gnu/store"], environment);
        var unsaid = await Cli.RunAsync(arguments, environment);
        var wrong = await Cli.RunAsync(["audit-cache", "ci", Output.Path.Absolute, "--store", "/nix/store", "--config", Stage.Config()]);

        Assert.Equal((1, ""), (code, error));
        Assert.Contains($"WRONG {Path}\n  nar-size: the narinfo says {Output.Nar.Length}; found: more than", text,
            StringComparison.Ordinal);
        Assert.Equal((2, 2), (unsaid.Code, wrong.Code));
        Assert.Contains("for the other store give --store /gnu/store", unsaid.Error, StringComparison.Ordinal);
        Assert.Contains("'ci' of the configuration is a cache of /gnu/store: leave --store out", wrong.Error, StringComparison.Ordinal);
    }

    private Task<(int Code, string Output, string Error)> DiffAsync(params string[] arguments) =>
        Cli.RunAsync(["diff", .. arguments, "--config", Stage.Config()]);
}
