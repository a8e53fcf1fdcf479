using System.Diagnostics;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>Runs the executable.</summary>
internal static class Cli
{
    /// <summary>A network namespace of its own, with no interface but a loopback that is down; nothing where this machine lets nobody have
    /// one.</summary>
    private static readonly Lazy<string[]> NoNetwork = new(() =>
    {
        string[] unshare = ["unshare", "--map-root-user", "--net"];
        try
        {
            using var probe = Process.Start(new ProcessStartInfo(unshare[0], [.. unshare[1..], "true"]) { RedirectStandardError = true })!;
            probe.WaitForExit();
            return probe.ExitCode is 0 ? unshare : [];
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return [];
        }
    });

    public static Task<(int Code, string Output, string Error)> RunAsync(
        IEnumerable<string> arguments, Dictionary<string, string>? environment = null, string? input = null) =>
        RunAsync([.. Executable.Command, .. arguments], environment, input);

    /// <summary>Runs it where nobody can be reached, as far as this machine allows that.</summary>
    public static Task<(int Code, string Output, string Error)> RunOfflineAsync(params string[] arguments) =>
        RunAsync([.. NoNetwork.Value, .. Executable.Command, .. arguments], null, null);

    /// <summary>Runs it on a machine with another name, as root of a namespace.</summary>
    public static Task<(int Code, string Output, string Error)> RunNamedAsync(string name, params string[] arguments) =>
        RunAsync(["unshare", "--map-root-user", "--uts", "sh", "-c",
            "printf %s \"$1\" >/proc/sys/kernel/hostname && shift && exec \"$@\"", "sh", name,
            .. Executable.Command, .. arguments], null, null);

    /// <summary>Runs it in a folder.</summary>
    public static Task<(int Code, string Output, string Error)> RunInAsync(
        string folder, IEnumerable<string> arguments, Dictionary<string, string> environment) =>
        RunAsync([.. Executable.Command, .. arguments], environment, null, folder);

    /// <summary>Runs it on a terminal of its own; returns all that the terminal shows.</summary>
    /// <param name="input">What is typed there.</param>
    public static async Task<string> RunOnTerminalAsync(
        IEnumerable<string> arguments, Dictionary<string, string> environment, string? input = null)
    {
        var command = string.Join(' ', Executable.Command.Concat(arguments).Select(word => $"'{word}'"));
        var (_, output, error) = await RunAsync(["script", "--quiet", "--command", command, "/dev/null"], environment, input);
        return output.Length > 0 ? output : throw new InvalidOperationException(error);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(
        string[] command, Dictionary<string, string>? environment, string? input, string folder = "")
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in environment ?? [])
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(timeout.Token);
        return (process.ExitCode, await output, await error);
    }
}

/// <summary>A folder that goes away with the test.</summary>
internal sealed class Folder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("trustix-cli-").FullName;

    public string File(string name, string? content = null)
    {
        var path = System.IO.Path.Combine(Path, name);
        if (content is not null)
        {
            System.IO.File.WriteAllText(path, content);
        }

        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
