using System.Diagnostics;

namespace TrustixProxy.Benchmarks;

/// <summary>Programs that a benchmark needs beside .NET.</summary>
internal static class Tools
{
    /// <summary>Whether they are all there; says which are not.</summary>
    /// <param name="needed">Commands, each with the Debian package that has it.</param>
    public static bool AreThere(params (string Command, string Package)[] needed)
    {
        string[] directories = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/sbin"];
        Environment.SetEnvironmentVariable("PATH", string.Join(':', directories));
        var missing = needed.Where(tool => !directories.Any(directory => File.Exists(Path.Combine(directory, tool.Command)))).ToList();
        if (missing.Count > 0)
        {
            Console.Error.WriteLine($"needs {string.Join(", ", missing.Select(tool => tool.Command))}: apt-get install -y "
                + $"--no-install-recommends {string.Join(' ', missing.Select(tool => tool.Package))}");
        }

        return missing.Count is 0;
    }

    /// <summary>Runs a command to its end; gives what it wrote.</summary>
    public static async Task<string> RunAsync(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode is 0 ? output : throw new InvalidOperationException($"{command} ended with {process.ExitCode}: {output}");
    }
}
