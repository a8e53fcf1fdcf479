using System.Diagnostics;
using System.Globalization;
using System.Text;
using TrustixProxy.IO.Programs;
using TrustixProxy.Publisher;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>Runs programs of Nix with settings and an environment of our own: nothing of the machine's configuration, and no variable of
/// this process beside those listed, reaches them or a builder.</summary>
/// <param name="home">A folder of ours, which Nix uses as home and cache.</param>
/// <param name="settings">The settings of all commands.</param>
/// <param name="time">Bounds commands.</param>
internal sealed class NixCommand(string home, IReadOnlyDictionary<string, string> settings, TimeProvider time)
{
    /// <summary>Maximum number of characters kept of each output stream of a command; of more, the end.</summary>
    private const int MaxOutput = 4 << 20;

    /// <summary>Maximum time of a command that builds and fetches nothing.</summary>
    private static readonly TimeSpan QueryTime = TimeSpan.FromMinutes(10);

    /// <summary>The variables that pass: who this is, where the machine's own store is, and how its network is reached.</summary>
    private static readonly string[] Passed =
    [
        "USER", "NIX_REMOTE", "NIX_PATH", "NIX_SSL_CERT_FILE", "SSL_CERT_FILE",
        "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    ];

    /// <summary>Runs a command and returns its output.</summary>
    /// <exception cref="NixException">Nix is missing, or the command failed.</exception>
    public async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        var end = await TryRunAsync(program, arguments, new NixBounds(QueryTime, ""), cancellation);
        return end.Code is 0 ? end.Output : throw new NixException($"{program} failed: {end.Reason}");
    }

    /// <summary>Runs a command within bounds; exceeding one kills it and its children.</summary>
    /// <exception cref="NixException">Nix is missing.</exception>
    public async Task<NixEnd> TryRunAsync(
        string program, IEnumerable<string> arguments, NixBounds bounds, CancellationToken cancellation)
    {
        using var process = ProgramStart.TryStartAlone(program, arguments, Environment(bounds.Temporary))
            ?? throw new NixException(
                $"{program} was not found in any absolute entry of PATH: install Nix, or put its directory on the PATH");
        process.StandardInput.Close();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var (output, error) = (ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
        var guard = bounds.GuardAsync(time, ending.Token);
        var exit = process.WaitForExitAsync(CancellationToken.None);
        if (await Task.WhenAny(exit, guard) == guard)
        {
            Kill(process);
        }

        await exit;
        await ending.CancelAsync();
        var exceeded = await guard;
        cancellation.ThrowIfCancellationRequested();
        return new NixEnd(exceeded is null ? process.ExitCode : -1, await output, exceeded?.Reason ?? ReasonOf(await error))
        {
            LacksRoom = exceeded is { IsOfStore: true },
        };
    }

    private Dictionary<string, string> Environment(string temporary)
    {
        var variables = new Dictionary<string, string>
        {
            ["HOME"] = home,
            ["XDG_CACHE_HOME"] = Path.Combine(home, "cache"),
            ["NIX_CONF_DIR"] = Path.Combine(home, "conf"),
            ["NIX_USER_CONF_FILES"] = Path.Combine(home, "conf", "none"),
            ["NIX_CONFIG"] = string.Concat(settings.Select(setting => $"{setting.Key} = {setting.Value}\n")),
        };
        if (temporary.Length > 0)
        {
            variables["TMPDIR"] = temporary;
            variables["NIX_CONFIG"] += $"build-dir = {temporary}\n"; // from Nix 2.26 on; older ones only warn
        }

        foreach (var name in Passed)
        {
            if (System.Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                variables[name] = value;
            }
        }

        return variables;
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or AggregateException)
        {
            // it has ended meanwhile, or a child of it has
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader)
    {
        var (text, buffer) = (new StringBuilder(), new char[4096]);
        while (await reader.ReadAsync(buffer) is var read and > 0)
        {
            text.Append(buffer, 0, read);
            if (text.Length > 2 * MaxOutput)
            {
                text.Remove(0, text.Length - MaxOutput);
            }
        }

        return text.ToString();
    }

    /// <summary>Whether a terminal shows a character where it stands, and obeys nothing in it.</summary>
    private static bool IsShown(char character) => character is '\n' or '\t' || char.GetUnicodeCategory(character)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);

    /// <summary>Returns why a command failed: the lines of its error stream from the first error on, without terminal codes.</summary>
    internal static string ReasonOf(string error)
    {
        const int most = 4000;
        string[] codes = ["\e[31;1m", "\e[35;1m", "\e[0m"];
        var uncoloured = codes.Aggregate(error, (text, code) => text.Replace(code, "", StringComparison.Ordinal));
        var plain = new string([.. uncoloured.Where(IsShown)]);
        var start = plain.IndexOf("error:", StringComparison.Ordinal);
        var said = (start < 0 ? plain : plain[start..]).Trim();
        return said.Length <= most ? said : $"{said[..(most / 2)]} … {said[^(most / 2)..]}";
    }
}

/// <summary>How a command of Nix ended.</summary>
/// <param name="Code">Its exit code; -1 when it exceeded a bound.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Reason">Why it failed, when it did.</param>
internal sealed record NixEnd(int Code, string Output, string Reason)
{
    /// <summary>Whether it was ended because the whole store was full.</summary>
    public bool LacksRoom { get; init; }
}
