namespace TrustixProxy.Tests;

/// <summary>The demo on a terminal: it asks whether it is to go on.</summary>
public sealed class DemoAnswerTests
{
    [Fact]
    public async Task On_a_terminal_it_asks_whether_all_is_to_keep_running_and_ends_at_a_no()
    {
        var shown = await Cli.RunOnTerminalAsync(["demo"], new Dictionary<string, string> { ["TERM"] = "dumb" }, "n\n");

        Assert.Contains("Everything is as expected.", shown, StringComparison.Ordinal);
        Assert.Matches("Keep everything running, to look at http://127\\.0\\.0\\.1:[0-9]+/ and to try it with Nix\\? \\[y/N\\]", shown);
    }
}
