using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Tests;

[Collection("Programs")]
public sealed class NixCommandTests
{
    private static readonly Dictionary<string, string> Settings = new() { ["sandbox"] = "true" };

    [Fact]
    public async Task No_variable_of_this_process_reaches_nix_but_those_that_it_needs()
    {
        Environment.SetEnvironmentVariable("TRUSTIXPROXY__LOG__TOKENFILE", "/secret");
        var nix = new NixCommand("/home", Settings, TimeProvider.System);

        var shown = await nix.RunAsync("env", [], default);

        Assert.DoesNotContain("/secret", shown, StringComparison.Ordinal);
        Assert.Contains("NIX_CONFIG=sandbox = true\n", shown, StringComparison.Ordinal);
        Assert.Contains("NIX_CONF_DIR=/home/conf\n", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_that_takes_too_long_is_killed_with_its_children()
    {
        var nix = new NixCommand("/home", Settings, TimeProvider.System);

        var end = await nix.TryRunAsync("sh", ["-c", "sleep 1000 & wait"], new NixBounds(TimeSpan.FromSeconds(1), ""), default);

        Assert.Equal(-1, end.Code);
        Assert.Equal("it took more than 00:00:01 (rebuilder.time)", end.Reason);
    }

    [Fact]
    public async Task A_command_that_fills_the_disk_is_killed()
    {
        var folder = Directory.CreateTempSubdirectory("trustix-rebuild-").FullName;
        var nix = new NixCommand("/home", Settings, TimeProvider.System);
        var bounds = new NixBounds(TimeSpan.FromMinutes(1), folder) { Disk = 1000, Measured = () => [folder] };

        var end = await nix.TryRunAsync("sh", ["-c", "head -c 5000 /dev/zero > $TMPDIR/x; sleep 1000"], bounds, default);

        Directory.Delete(folder, recursive: true);
        Assert.Equal(-1, end.Code);
        Assert.Matches("^it used [0-9]+ bytes of disk, more than 1000 \\(rebuilder\\.disk\\)$", end.Reason);
    }

    [Fact]
    public void A_reason_has_nothing_that_a_terminal_obeys() =>
        Assert.Equal("error: a]0;bcd", NixCommand.ReasonOf("error: a\e]0;b\a\u009bc\u202e\u2028d"));

    [Fact]
    public void A_reason_begins_at_the_first_error_without_the_terminals_codes() => Assert.Equal("error: builder failed\n  > no\n",
        NixCommand.ReasonOf("warning: x\n\e[31;1merror:\e[0m builder failed\n  > no\n") + "\n");
}
