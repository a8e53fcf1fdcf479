using TrustixProxy.IO.Programs;

namespace TrustixProxy.Setup;

/// <summary>What this machine's Nix says of itself: whom it asks for binaries, and whom it believes.</summary>
/// <param name="values">Its settings, as <c>nix config show</c> prints them.</param>
internal sealed class NixSettings(IReadOnlyDictionary<string, string> values)
{
    /// <summary>How long Nix may take to answer: a broken one answers never.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Where binaries come from.</summary>
    public IReadOnlyList<string> Substituters => Words("substituters");

    /// <summary>Whose signatures it believes.</summary>
    public IReadOnlyList<string> TrustedKeys => Words("trusted-public-keys");

    /// <summary>Who may name other substituters and keys, root aside.</summary>
    public IReadOnlyList<string> TrustedUsers => [.. Words("trusted-users").Where(user => user is not "root")];

    /// <summary>Whether a binary needs a believed signature at all.</summary>
    public bool RequiresSignatures => values.GetValueOrDefault("require-sigs") is not "false";

    /// <summary>Asks Nix; null where there is none, or where it does not answer.</summary>
    public static async Task<NixSettings?> AskAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Limit);
        try
        {
            // up to 2.19 it is another verb
            return (await RunAsync(["config", "show"], limit.Token) ?? await RunAsync(["show-config"], limit.Token)) is { } output
                ? Read(output) : null;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Reads lines <c>name = value</c>.</summary>
    public static NixSettings Read(string text)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            if (line.IndexOf('=', StringComparison.Ordinal) is var equals and > 0)
            {
                values[line[..equals].Trim()] = line[(equals + 1)..].Trim();
            }
        }

        return new NixSettings(values);
    }

    /// <summary>What bypasses the vote of a proxy, each as a sentence with its remedy.</summary>
    /// <param name="isProxy">Whether an address is the proxy's.</param>
    /// <param name="ours">The keys that clients of the proxy may believe.</param>
    public IEnumerable<string> Bypasses(Func<string, bool> isProxy, IReadOnlyCollection<string> ours)
    {
        foreach (var other in Substituters.Where(address => !isProxy(address)))
        {
            yield return $"substituters: has {other} beside the proxy, which bypasses the vote. Remove it.";
        }

        foreach (var key in TrustedKeys.Except(ours))
        {
            yield return $"trusted-public-keys: has {key}, whose signature Nix believes without a vote. Remove it.";
        }

        foreach (var user in TrustedUsers)
        {
            yield return $"trusted-users: has {user}, who may name other substituters and keys. Leave root alone there.";
        }

        if (!RequiresSignatures)
        {
            yield return "require-sigs: is false, so Nix believes any binary. Set it to true.";
        }
    }

    private string[] Words(string name) =>
        values.GetValueOrDefault(name, "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What Nix prints; null where it fails.</summary>
    private static async Task<string?> RunAsync(string[] verb, CancellationToken cancellation)
    {
        using var process = ProgramStart.TryStart("nix", [.. verb, "--store", "dummy://"], isErrorPiped: true, ("NIX_CONFIG",
            $"{Environment.GetEnvironmentVariable("NIX_CONFIG")}\nextra-experimental-features = nix-command\n"));
        if (process is null)
        {
            return null;
        }

        try
        {
            var (output, error) = (
                process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
            await Task.WhenAll(output, error, process.WaitForExitAsync(cancellation));
            return process.ExitCode is 0 ? await output : null;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
