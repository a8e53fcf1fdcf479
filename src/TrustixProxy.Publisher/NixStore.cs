using System.Globalization;
using TrustixProxy.IO.Programs;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Queries the machine's Nix store.</summary>
public static class NixStore
{
    /// <summary>Maximum number of paths per command line, whose length the system limits.</summary>
    private const int MaxPaths = 2000;

    /// <summary>Describes these paths, all of which must be valid, by <c>nix path-info</c>; where that fails, by <c>nix-store
    /// -q</c>.</summary>
    /// <exception cref="NixException">Nix is missing, or reports an error.</exception>
    public static async Task<IReadOnlyList<DescribedOutput>> DescribeAsync(IEnumerable<StorePath> paths, CancellationToken cancellation)
    {
        var described = new List<DescribedOutput>();
        foreach (var part in paths.Distinct().Chunk(MaxPaths))
        {
            described.AddRange(await DescribePartAsync(part, cancellation));
        }

        return described;
    }

    /// <summary>Returns the closure of a path, references before their referrers.</summary>
    /// <exception cref="NixException">Nix is missing, or reports an error.</exception>
    public static Task<IReadOnlyList<StorePath>> ClosureAsync(StorePath path, CancellationToken cancellation) =>
        QueryAsync("--requisites", path, cancellation);

    /// <summary>Returns the outputs of a derivation.</summary>
    /// <exception cref="NixException">Nix is missing, or reports an error.</exception>
    public static Task<IReadOnlyList<StorePath>> OutputsAsync(StorePath derivation, CancellationToken cancellation) =>
        QueryAsync("--outputs", derivation, cancellation);

    /// <summary>Returns the valid paths: those in the store and registered there.</summary>
    /// <exception cref="NixException">Nix is missing, or reports an error.</exception>
    public static async Task<IReadOnlyList<StorePath>> ValidAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        var invalid = new HashSet<StorePath>();
        foreach (var part in paths.Chunk(MaxPaths))
        {
            invalid.UnionWith(ReadPaths(
                await RunAsync("nix-store", ["--check-validity", "--print-invalid", .. part.Select(path => path.Absolute)], cancellation)));
        }

        return [.. paths.Where(path => !invalid.Contains(path))];
    }

    /// <summary>Dumps a valid path as a NAR, as it is in the store now. An error truncates the NAR.</summary>
    /// <exception cref="NixException">Nix is missing.</exception>
    public static Stream Dump(StorePath path) =>
        (ProgramStart.TryStart("nix-store", ["--dump", path.Absolute]) ?? throw Missing("nix-store")).StandardOutput.BaseStream;

    private static async Task<IReadOnlyList<DescribedOutput>> DescribePartAsync(
        IReadOnlyList<StorePath> paths, CancellationToken cancellation)
    {
        string fault;
        try
        {
            var json = await RunAsync("nix", ["path-info", "--json", .. paths.Select(path => path.Absolute)], cancellation);
            if (PathInfo.TryParse(json, out var outputs, out fault))
            {
                var missing = paths.Except(outputs.Select(output => output.Statement.Path)).FirstOrDefault();
                return missing is null ? outputs
                    : throw new NixException($"'{missing.Absolute}' is not a valid path of this machine's store");
            }
        }
        catch (NixException exception)
        {
            fault = exception.Message;
        }

        return await DescribeByQueryAsync(paths, fault, cancellation);
    }

    /// <summary>Describes paths by <c>nix-store -q</c>, which does not report what was built here, nor when.</summary>
    private static async Task<IReadOnlyList<DescribedOutput>> DescribeByQueryAsync(
        IReadOnlyList<StorePath> paths, string fault, CancellationToken cancellation)
    {
        try
        {
            var described = new List<DescribedOutput>();
            foreach (var path in paths)
            {
                var hash = (await RunAsync("nix-store", ["-q", "--hash", path.Absolute], cancellation)).Trim();
                var size = (await RunAsync("nix-store", ["-q", "--size", path.Absolute], cancellation)).Trim();
                described.Add(
                    NixHash.TryParse(hash, out var narHash, out _) && long.TryParse(size, CultureInfo.InvariantCulture, out var narSize)
                    ? new DescribedOutput(
                        new BuildStatement(path, narHash, narSize, await QueryAsync("--references", path, cancellation)), null, null)
                    : throw new NixException($"nix-store -q printed '{hash}' and '{size}', which are not a hash and a size"));
            }

            return described;
        }
        catch (NixException)
        {
            throw new NixException(fault);
        }
    }

    private static async Task<IReadOnlyList<StorePath>> QueryAsync(string query, StorePath path, CancellationToken cancellation) =>
        ReadPaths(await RunAsync("nix-store", ["-q", query, path.Absolute], cancellation));

    private static IReadOnlyList<StorePath> ReadPaths(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => StorePath.TryParseAbsolute(line, out var path, out _)
            ? path : throw new NixException($"'{line}' is not a store path"))];

    /// <summary>Runs a Nix command and returns its output; cancellation kills it.</summary>
    /// <remarks>The <c>nix</c> command is an experimental feature, for which Nix 2.3 has no option. So it is enabled by the environment,
    /// which 2.3 ignores. Without <c>substitute = false</c>, Nix asks binary caches about paths that are invalid here.</remarks>
    private static async Task<string> RunAsync(string command, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        var configuration =
            $"{Environment.GetEnvironmentVariable("NIX_CONFIG")}\nextra-experimental-features = nix-command\nsubstitute = false\n";
        using var process = ProgramStart.TryStart(command, arguments, isErrorPiped: true, ("NIX_CONFIG", configuration))
            ?? throw Missing(command);
        using var killing = cancellation.Register(() => process.Kill());
        // Asynchronous pipes would load the socket library, which takes too long for the hook.
        var (output, error) = (
            Task.Run(process.StandardOutput.ReadToEnd, cancellation), Task.Run(process.StandardError.ReadToEnd, cancellation));
        await process.WaitForExitAsync(cancellation);
        return process.ExitCode is 0
            ? await output.WaitAsync(cancellation)
            : throw new NixException($"{command} failed: {(await error.WaitAsync(cancellation)).Trim()}");
    }

    private static NixException Missing(string command) =>
        new($"{command} was not found in any absolute entry of PATH: install Nix, or put its directory on the PATH");
}

/// <summary>Signals that Nix could not answer a query.</summary>
public class NixException(string message) : Exception(message);
