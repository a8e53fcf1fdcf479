using System.ComponentModel;
using System.Diagnostics;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Submission;

/// <summary>Asks the machine's Nix about its store.</summary>
public static class NixStore
{
    /// <summary>The statements about these paths. Fails with Nix's own words when a path is not valid, or there is no Nix.</summary>
    /// <exception cref="NixException">Nix is missing, or says no.</exception>
    public static async Task<IReadOnlyList<BuildStatement>> DescribeAsync(IEnumerable<string> paths, CancellationToken cancellation)
    {
        var json = await RunAsync("nix", ["--extra-experimental-features", "nix-command", "path-info", "--json", .. paths], cancellation);
        return PathInfo.TryParse(json, out var statements, out var error) ? statements : throw new NixException(error);
    }

    /// <summary>The path and all that it refers to, references before what refers to them.</summary>
    /// <exception cref="NixException">Nix is missing, or says no.</exception>
    public static async Task<IReadOnlyList<StorePath>> ClosureAsync(string path, CancellationToken cancellation)
    {
        var text = await RunAsync("nix-store", ["-q", "--requisites", path], cancellation);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => StorePath.TryParseAbsolute(line, out var item, out _) ? item : throw new NixException($"'{line}' is not a store path"))];
    }

    /// <summary>Runs a command of Nix; gives what it printed.</summary>
    private static async Task<string> RunAsync(string command, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
            await process.WaitForExitAsync(cancellation);
            return process.ExitCode is 0 ? await output : throw new NixException($"{command} failed: {(await error).Trim()}");
        }
        catch (Win32Exception)
        {
            throw new NixException($"{command} was not found: install Nix, or put it on the PATH");
        }
    }
}

/// <summary>Nix could not say what it was asked.</summary>
/// <param name="message">Why.</param>
public sealed class NixException(string message) : Exception(message);
