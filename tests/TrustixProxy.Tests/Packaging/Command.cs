using System.Diagnostics;
using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>Runs other programs than ours, with <c>trustix-proxy</c> on their path.</summary>
internal static class Command
{
    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="Xunit.Sdk.XunitException">It ends with another code than 0.</exception>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, Dictionary<string, string>? environment = null)
    {
        using var path = new Folder();
        Shim(path);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = $"{path.Path}:{Environment.GetEnvironmentVariable("PATH")}";
        foreach (var (name, value) in environment ?? [])
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(timeout.Token);
        Assert.True(process.ExitCode is 0, $"{program} ended with {process.ExitCode}: {await output}{await error}");
        return await output;
    }

    /// <summary>The value of a Nix expression, in which <c>stub</c> is our stub of nixpkgs and <c>root</c> this checkout.</summary>
    public static async Task<JsonElement> EvaluateAsync(string expression)
    {
        var text = $"let root = {Repository.Root}; stub = import (root + \"/tests/TrustixProxy.Tests/Packaging/stub.nix\"); ours = map "
            + "(name: root + \"/nix/modules/${name}.nix\") [ \"proxy\" \"log\" \"publisher\" \"rebuilder\" \"client\" ]; "
            + $"in {expression}";
        return JsonDocument.Parse(
            await RunAsync("nix-instantiate", ["--eval", "--strict", "--json", "--store", "dummy://", "--expr", text], Quiet)).RootElement;
    }

    /// <summary>For Nix, where no build users are: then it warns.</summary>
    public static Dictionary<string,
        string> Quiet
    { get; } = new() { ["NIX_CONFIG"] = "build-users-group =\nextra-experimental-features = nix-command" };

    private static void Shim(Folder folder) => RunnableFile.WriteScript(folder.File("trustix-proxy"), $"exec {Executable.Words} \"$@\"");
}
