using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using TrustixProxy.Configuration;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Verbs;

/// <summary><c>trustix-proxy audit</c>: every signature that the proxy has made, and why.</summary>
internal static class AuditVerb
{
    private static readonly Option<DateTimeOffset> Since = Time("--since", "Only what was signed from then on.");
    private static readonly Option<int> Count = new("--count") { Description = "At most so many, the newest.", DefaultValueFactory = _ => 1000, HelpName = "N" };
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object a line." };
    private static readonly Option<DateTimeOffset> Before = Time("--before", "Drops what was signed before then.");

    public static Command Create()
    {
        Before.Required = true;
        var prune = new Command("prune", "Drops old entries of the record: the only way by which any is dropped.") { ServeVerb.ConfigOption, Before };
        prune.SetAction(parsed => Run(parsed, audit => Prune(audit, parsed.GetValue(Before))));
        var command = new Command("audit", "Shows the append-only record of every signature that the proxy has made.") { ServeVerb.ConfigOption, Since, Count, Json, prune };
        command.SetAction(parsed => Run(parsed, audit => Show(audit, parsed)));
        return command;
    }

    private static int Run(ParseResult parsed, Func<SignatureAudit, int> act)
    {
        var (read, faults) = ConfigurationFile.Read(parsed.GetValue(ServeVerb.ConfigOption), section => ServeConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        try
        {
            if (!File.Exists(Path.Combine(read.Options.StateDirectory, "state.sqlite")))
            {
                Console.Error.WriteLine($"stateDirectory: '{read.Options.StateDirectory}' has no state.sqlite; no proxy has run with this configuration.");
                return ExitCode.Unknown;
            }

            using var audit = new SignatureAudit(read.Options.StateDirectory);
            return act(audit);
        }
        catch (SqliteException exception)
        {
            Console.Error.WriteLine($"stateDirectory: '{read.Options.StateDirectory}', whose state.sqlite cannot be read: {exception.Message}");
            return ExitCode.Unknown;
        }
    }

    private static int Show(SignatureAudit audit, ParseResult parsed)
    {
        var isJson = parsed.GetValue(Json);
        foreach (var entry in audit.Read(parsed.GetValue(Since), parsed.GetValue(Count)))
        {
            Console.WriteLine(isJson
                ? JsonSerializer.Serialize(entry, JsonSerializerOptions.Web)
                : $"{entry.At:yyyy-MM-dd HH:mm:ss}Z {entry.Outcome} {entry.Fingerprint} policy {entry.Policy[..16]} bundle {entry.Bundle[..16]}");
        }

        return ExitCode.Good;
    }

    private static int Prune(SignatureAudit audit, DateTimeOffset before)
    {
        Console.WriteLine($"{audit.Prune(before)} entries before {before:yyyy-MM-dd HH:mm:ss}Z dropped");
        return ExitCode.Good;
    }

    private static Option<DateTimeOffset> Time(string name, string description)
    {
        string[] forms = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss'Z'"];
        return new Option<DateTimeOffset>(name)
        {
            Description = description,
            HelpName = "TIME",
            CustomParser = result =>
            {
                if (!DateTimeOffset.TryParseExact(result.Tokens.Single().Value, forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
                {
                    result.AddError($"{name} is '{result.Tokens.Single().Value}'; it must be a day or a time in UTC: 2027-01-31 or 2027-01-31T12:00:00Z.");
                }

                return time;
            },
        };
    }
}
