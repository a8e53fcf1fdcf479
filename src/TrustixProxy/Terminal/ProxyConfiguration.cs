using System.CommandLine;
using Microsoft.Data.Sqlite;
using TrustixProxy.Configuration;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Terminal;

/// <summary>For verbs that look at a proxy through its configuration and its state.</summary>
internal static class ProxyConfiguration
{
    /// <summary>Reads the configuration, and runs a verb with it; faults, and an unusable state are told.</summary>
    /// <param name="needsKey">Whether it is of no use without the signing key that the proxy has.</param>
    public static Task<int> WithAsync(ParseResult parsed, Func<SubstituterOptions, Task<int>> run, bool needsKey = false) =>
        WithAsync(parsed, (options, _) => run(options), needsKey);

    private static Task<int> WithAsync(ParseResult parsed, Func<SubstituterOptions, bool, Task<int>> run, bool needsKey = false) =>
        ReadAsync(parsed.GetValue(SharedOptions.Config), needsKey, async (options, isKeyMissing) =>
    {
        try
        {
            Directory.CreateDirectory(options.StateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return await run(options, isKeyMissing);
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"stateDirectory: '{options.StateDirectory}' cannot be used: {exception.Message} Run this as "
                + $"the proxy's user.");
            return ExitCode.Unknown;
        }
    });

    /// <summary>As <see cref="WithAsync(ParseResult, Func{SubstituterOptions, Task{int}}, bool)"/>, for a verb that also asks Nix about
    /// paths.</summary>
    public static Task<int> WithNixAsync(ParseResult parsed, Func<SubstituterOptions, Task<int>> run) =>
        WithNixAsync(parsed, (options, _) => run(options));

    /// <summary>The same, for a verb that also needs to know whether the proxy has no key yet: the one in the options was made just
    /// now.</summary>
    public static Task<int> WithNixAsync(ParseResult parsed, Func<SubstituterOptions, bool, Task<int>> run) =>
        WithAsync(parsed, async (options, isKeyMissing) =>
    {
        try
        {
            return await run(options, isKeyMissing);
        }
        catch (NixException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
        catch (FormatException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
    });

    /// <summary>Reads the configuration, and runs a verb with it that needs no state.</summary>
    public static Task<int> ReadAsync(string? config, Func<SubstituterOptions, Task<int>> run) =>
        ReadAsync(config, needsKey: false, (options, _) => run(options));

    private static async Task<int> ReadAsync(string? config, bool needsKey, Func<SubstituterOptions, bool, Task<int>> run)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => ServeConfiguration.Read(section, isCheck: true));
        if (needsKey && read is { IsKeyMissing: true, KeyFile: var path })
        {
            return ExitCode.Refuse(
                [new Fault("signingKeyFile", $"is '{path}', which does not exist: no proxy has run with this configuration yet.")]);
        }

        return read is null ? ExitCode.Refuse(faults) : await run(read.Options, read.IsKeyMissing);
    }
}
