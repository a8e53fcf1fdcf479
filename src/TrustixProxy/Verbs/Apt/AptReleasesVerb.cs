using System.CommandLine;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Storage;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt releases</c>: which Release files the archives served, to compare with other sites.</summary>
internal static class AptReleasesVerb
{
    public static Command Create()
    {
        var command = new Command("releases", "Lists the Release files that archives served to the gate. Sites that compare them find "
            + "out who was shown another one.") { SharedOptions.Config, SharedOptions.Json };
        command.SetAction(parsed => Run(parsed.GetValue(SharedOptions.Config), parsed.GetValue(SharedOptions.Json)));
        return command;
    }

    private static int Run(string? config, bool isJson)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => AptConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        try
        {
            Directory.CreateDirectory(read.Options.StateDirectory);
            using var writer = new StateWriter(read.Options.StateDirectory);
            var releases = new ReleaseBook(writer, TimeProvider.System).List();
            Console.Write(isJson
                ? JsonSerializer.Serialize([.. releases.Select(JsonOf)], AptJson.Indented.ListedReleaseArray) + "\n"
                : string.Concat(releases.Select(release =>
                    $"{release.SeenAt:yyyy-MM-dd'T'HH:mm:ss'Z'}  {release.Sha256}  {release.Archive}  {release.Suite}"
                        + $"{(release.IsSubmitted ? "  in the log" : "")}\n")));
            return ExitCode.Good;
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"stateDirectory: '{read.Options.StateDirectory}' cannot be used: {exception.Message} Run this as the "
                + "gate's user.");
            return ExitCode.Unknown;
        }
    }

    private static ListedRelease JsonOf(ServedRelease release) =>
        new(release.Archive, release.Suite, release.Sha256.ToString(), release.SeenAt, release.IsSubmitted);
}
