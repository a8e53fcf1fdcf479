using System.Globalization;
using TrustixProxy.IO.Programs;
using TrustixProxy.Publisher;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>Measures folders by <c>du</c>, which unlike .NET also enters folders that are nested without end or whose names are no
/// text.</summary>
internal static class FolderSize
{
    private static readonly Dictionary<string, string> Variables = new() { ["LC_ALL"] = "C" };

    /// <summary>Sums the disk space of files and of folders with all that is below them, in bytes; what is missing counts nothing. Links
    /// are not followed.</summary>
    /// <remarks>What is removed meanwhile is left out, and nothing else: a builder cannot hide one folder by removing another.</remarks>
    /// <exception cref="NixException">There is no <c>du</c>, or it cannot be understood.</exception>
    public static async Task<long> OfAsync(IEnumerable<string> paths, CancellationToken cancellation)
    {
        string[] arguments = ["--summarize", "--total", "--block-size=1", "--", .. paths, "/dev/null"];
        using var process = ProgramStart.TryStartAlone("du", arguments, Variables) ?? throw new NixException(
            "du was not found in any absolute entry of PATH: install GNU coreutils, or put their directory on the PATH");
        process.StandardInput.Close();
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellation);
            var errors = process.StandardError.ReadToEndAsync(cancellation); // also of what was removed meanwhile
            await process.WaitForExitAsync(cancellation);
            return TryReadTotal(await output, out var total) ? total
                : throw new NixException($"du printed no total: {await errors}");
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }

    /// <summary>Reads the last line, <c>4096⇥total</c>.</summary>
    private static bool TryReadTotal(string output, out long total)
    {
        total = 0;
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries) is [.., var last]
            && last.EndsWith("\ttotal", StringComparison.Ordinal)
            && long.TryParse(last.Split('\t')[0], NumberStyles.None, CultureInfo.InvariantCulture, out total);
    }
}
