using System.Diagnostics;

namespace TrustixProxy.Testing;

/// <summary>The program as a process of its own, as users start it.</summary>
public static class Executable
{
    /// <summary>What runs it: the executable as it is installed, where <c>TRUSTIXPROXY_PROGRAM</c> names one (<c>tests/run</c> makes it),
    /// and otherwise <c>dotnet</c> with what was built beside the tests.</summary>
    public static IReadOnlyList<string> Command { get; } =
        Environment.GetEnvironmentVariable("TRUSTIXPROXY_PROGRAM") is { Length: > 0 } program ? [program]
            : ["dotnet", Path.Combine(AppContext.BaseDirectory, "trustix-proxy.dll")];

    /// <summary>The same as words of a shell.</summary>
    public static string Words { get; } = string.Join(' ', Command.Select(word => $"'{word}'"));

    /// <summary>How it is started with these arguments, heard on standard error.</summary>
    public static ProcessStartInfo Start(params IEnumerable<string> arguments) =>
        new(Command[0], [.. Command.Skip(1), .. arguments]) { RedirectStandardError = true };
}
