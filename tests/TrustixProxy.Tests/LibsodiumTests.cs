using System.Diagnostics;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>The program without the library that lies beside it.</summary>
public sealed class LibsodiumTests
{
    [Fact]
    public async Task A_program_without_its_libsodium_says_in_one_line_what_is_missing()
    {
        using var folder = new Folder();
        var command = CopyWithoutLibraries(folder.Path);

        var (code, error) = await RunAsync([.. command, "keygen", folder.File("key")]);

        Assert.Equal(3, code);
        Assert.Equal(
            $"libsodium.so in {folder.Path}/ is missing or cannot be loaded. Put all files of one build there, not the executable alone.\n",
            error);
        Assert.False(File.Exists(folder.File("key")));
    }

    [Fact]
    public async Task A_hook_needs_no_libsodium()
    {
        using var folder = new Folder();
        var command = CopyWithoutLibraries(folder.Path);

        var (code, error) = await RunAsync([.. command, "hook", "--spool", folder.File("spool")]);

        Assert.Equal(0, code);
        Assert.DoesNotContain("libsodium", error, StringComparison.Ordinal);
    }

    /// <summary>Copies the executable, or the assemblies without the list of where their libraries are.</summary>
    private static string[] CopyWithoutLibraries(string folder)
    {
        IEnumerable<string> files = Executable.Command is [var program] ? [program]
            : [.. Directory.GetFiles(AppContext.BaseDirectory, "*.dll"),
                Path.Combine(AppContext.BaseDirectory, "trustix-proxy.runtimeconfig.json")];
        foreach (var file in files)
        {
            RunnableFile.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        return [.. Executable.Command.SkipLast(1), Path.Combine(folder, Path.GetFileName(Executable.Command[^1]))];
    }

    private static async Task<(int Code, string Error)> RunAsync(string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, error);
    }
}
