using System.Diagnostics;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>The demo on a terminal: it asks whether it is to go on, and Ctrl-C ends it at any moment.</summary>
public sealed class DemoAnswerTests
{
    private const string Question = "and to try it with Nix? [y/N] ";

    /// <summary>Shorter than the 40 s after which a verb that does not heed Ctrl-C is ended.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task On_a_terminal_it_asks_whether_all_is_to_keep_running_and_ends_at_a_no()
    {
        var shown = await Cli.RunOnTerminalAsync(["demo"], new Dictionary<string, string> { ["TERM"] = "dumb" }, "n\n");

        Assert.Contains("Everything is as expected.", shown, StringComparison.Ordinal);
        Assert.Matches("Keep everything running, to look at http://127\\.0\\.0\\.1:[0-9]+/ and to try it with Nix\\? \\[y/N\\]", shown);
    }

    /// <summary>At its first output, and while a question waits for its answer.</summary>
    [Theory]
    [InlineData("dashboard", "demo")]
    [InlineData(Question, "demo")]
    [InlineData("Everything runs until Ctrl-C", "demo", "--keep")]
    [InlineData("Which of these? [", "init", "--directory", "made")]
    public async Task Ctrl_C_ends_it_and_leaves_nothing(string awaited, params string[] arguments)
    {
        using var folder = new Folder();
        string[] program = ["env", "--default-signal=INT", .. Executable.Command]; // a background job and its children ignore it
        var start = new ProcessStartInfo("script", ["--quiet", "--return", "--command",
            string.Join(' ', program.Concat(arguments).Select(word => $"'{word}'")), "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = folder.Path,
        };
        (start.Environment["TERM"], start.Environment["TMPDIR"]) = ("dumb", folder.Path);
        using var terminal = Process.Start(start)!;

        var shown = await ReadUntilAsync(terminal, awaited);
        await terminal.StandardInput.WriteAsync('\u0003');
        await terminal.StandardInput.FlushAsync();
        using var patience = new CancellationTokenSource(Patience);
        var rest = await terminal.StandardOutput.ReadToEndAsync(patience.Token);
        await terminal.WaitForExitAsync(patience.Token);

        Assert.Contains(awaited, shown, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", rest, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName),
            name => name!.StartsWith("trustix-", StringComparison.Ordinal) || name is "made");
    }

    private static async Task<string> ReadUntilAsync(Process terminal, string awaited)
    {
        var (shown, letters) = ("", new char[4096]);
        while (!shown.Contains(awaited, StringComparison.Ordinal)
            && await terminal.StandardOutput.ReadAsync(letters) is var count and > 0)
        {
            shown += new string(letters, 0, count);
        }

        return shown;
    }
}
