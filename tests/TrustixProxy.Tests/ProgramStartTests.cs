using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>Which file runs when this program asks for <c>nix</c>.</summary>
public sealed class ProgramStartTests
{
    private static readonly TestOutput Built = TestOutput.Make();

    [Theory]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("bin")]
    [InlineData("./bin")]
    public async Task A_program_of_the_current_directory_never_runs_however_PATH_names_it(string entry)
    {
        using var folder = new Folder();
        var good = Directory.CreateDirectory(folder.File("good")).FullName;
        var here = Directory.CreateDirectory(folder.File("here")).FullName;
        Directory.CreateDirectory(Path.Combine(here, "bin"));
        foreach (var bad in new[] { here, Path.Combine(here, "bin") })
        {
            RunnableFile.WriteScript(Path.Combine(bad, "nix"), $"touch {folder.File("evil")}");
            RunnableFile.WriteScript(Path.Combine(bad, "nix-store"), $"touch {folder.File("evil")}");
        }

        RunnableFile.WriteScript(Path.Combine(good, "nix"),
            $"echo '[{{\"path\":\"{Built.Path.Absolute}\",\"narHash\":\"{Built.Statement.NarHash}\",\"narSize\":120,\"references\":[]}}]'");
        RunnableFile.WriteScript(Path.Combine(good, "nix-store"), $"echo {Built.Path.Absolute}");
        var path = $"{entry}:{good}";

        var hook = await Cli.RunInAsync(here, ["hook", "--spool", here],
            new() { ["PATH"] = path, ["DRV_PATH"] = Built.Path.Absolute + ".drv", ["OUT_PATHS"] = Built.Path.Absolute });

        Assert.False(File.Exists(folder.File("evil")));
        Assert.Equal((0, ""), (hook.Code, hook.Error));
        Assert.Single(Directory.GetFiles(here, "*.info")); // the one of the absolute entry was asked
    }

    [Fact]
    public async Task The_hook_script_runs_nothing_of_the_current_directory()
    {
        using var folder = new Folder();
        var spool = Directory.CreateDirectory(folder.File("spool")).FullName;
        var here = Directory.CreateDirectory(folder.File("here")).FullName;
        foreach (var name in new[] { "nix", "nix-store", "date", "mv", "ln", "rm" })
        {
            RunnableFile.WriteScript(Path.Combine(here, name), $"touch {folder.File("evil")}; exit 1");
        }

        var hook = Path.Combine(Repository.Root, "nix", "post-build-hook");
        var start = new System.Diagnostics.ProcessStartInfo("/bin/sh", [hook]) { WorkingDirectory = here, RedirectStandardError = true };
        (start.Environment["PATH"], start.Environment["TRUSTIX_SPOOL"]) = (".::here", spool);
        (start.Environment["DRV_PATH"], start.Environment["OUT_PATHS"]) = (Built.Path.Absolute + ".drv", Built.Path.Absolute);
        using var process = System.Diagnostics.Process.Start(start)!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal("", error);
        Assert.Single(Directory.GetFiles(spool, "*.job"));
        Assert.False(File.Exists(folder.File("evil")));
    }
}
