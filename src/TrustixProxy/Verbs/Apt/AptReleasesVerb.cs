using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Storage;
using TrustixProxy.Terminal;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt releases</c>: which Release files the archives served, and whether another site saw them too.</summary>
internal static class AptReleasesVerb
{
    private static readonly Option<string?> Log = new("--log")
    {
        Description = "Another site's log, which is asked for each Release file: http://host:port or https://host:port.",
        HelpName = "URL",
    };

    private static readonly Option<string?> PublicKey = new("--public-key")
    {
        Description = "That log's public key, in base64: its answers are believed only as far as they are proven under it.",
        HelpName = "KEY",
    };

    public static Command Create()
    {
        var command = new Command("releases", "Lists the Release files that archives served to the gate. With --log it says which of "
            + "them another site's log lacks: one that nobody else was shown was made for this site.")
        { Log, PublicKey, SharedOptions.Config, SharedOptions.Json };
        command.SetAction((parsed, cancellation) => RunAsync(parsed, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var (read, faults) = ConfigurationFile.Read(
            parsed.GetValue(SharedOptions.Config), section => AptConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        try
        {
            Directory.CreateDirectory(read.Options.StateDirectory);
            using var writer = new StateWriter(read.Options.StateDirectory);
            var releases = new ReleaseBook(writer, TimeProvider.System).List();
            if (parsed.GetValue(Log) is null)
            {
                return Print([.. releases.Select(release => JsonOf(release, null))], parsed.GetValue(SharedOptions.Json));
            }

            return await CompareAsync(parsed, releases, read.Options.Archives, cancellation);
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"stateDirectory: '{read.Options.StateDirectory}' cannot be used: {exception.Message} Run this as the "
                + "gate's user.");
            return ExitCode.Unknown;
        }
    }

    /// <summary>Compares what archives of this configuration served; others have no address to ask by.</summary>
    private static async Task<int> CompareAsync(
        ParseResult parsed, IReadOnlyList<ServedRelease> releases, ImmutableArray<ArchiveOptions> archives, CancellationToken cancellation)
    {
        if (!CommonKeys.TryReadUrl(parsed.GetValue(Log)!, allowUnix: false, out var url))
        {
            Console.Error.WriteLine($"--log is '{parsed.GetValue(Log)}'; it must be http://host:port or https://host:port.");
            return ExitCode.Usage;
        }

        if (!LogKey.TryParse(parsed.GetValue(PublicKey) ?? "", out var key, out _))
        {
            Console.Error.WriteLine($"--public-key is '{parsed.GetValue(PublicKey)}'; it must be the log's key: 32 bytes in base64.");
            return ExitCode.Usage;
        }

        var asked = releases.Join(archives, release => release.Archive, archive => archive.Name,
            (release, archive) => (Release: release, Key: ReleaseLog.KeyOf(release, archive))).ToList();
        var (held, fault) = await ReleaseComparison.AskAsync(url, key, asked.Select(item => item.Key), cancellation);
        if (held is null)
        {
            Console.Error.WriteLine(fault);
            return ExitCode.Unknown;
        }

        var shown = Print([.. asked.Zip(held, (item, isHeld) => JsonOf(item.Release, isHeld))], parsed.GetValue(SharedOptions.Json));
        return held.Contains(false) ? ExitCode.No : shown;
    }

    private static int Print(ListedRelease[] releases, bool isJson)
    {
        Console.Write(isJson ? JsonSerializer.Serialize(releases, AptJson.Indented.ListedReleaseArray) + "\n"
            : string.Concat(releases.Select(release =>
                $"{release.SeenAt:yyyy-MM-dd'T'HH:mm:ss'Z'}  {release.Sha256}  {release.Archive}  {release.Suite}"
                    + (release.Submitted ? "  in the log" : "")
                    + release.InOtherLog switch { true => "  seen there too", false => "  not seen there", null => "" } + "\n")));
        return ExitCode.Good;
    }

    private static ListedRelease JsonOf(ServedRelease release, bool? isHeld) =>
        new(release.Archive, release.Suite, release.Sha256.ToString(), release.SeenAt, release.IsSubmitted, isHeld);
}
