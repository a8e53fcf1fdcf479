using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy audit</c>: every signature that the proxy has made, and why; and every revocation.</summary>
internal static class AuditVerb
{
    private static readonly Option<DateTimeOffset> Since = Time("--since", "Show only signatures since then.");
    private static readonly Option<int> Count = new(
        "--count")
    { Description = "Show at most this many, the newest.", DefaultValueFactory = _ => 1000, HelpName = "N" };
    private static readonly Option<DateTimeOffset> Before = Time("--before", "Drop signatures made before then.");

    public static Command Create()
    {
        Before.Required = true;
        var prune = new Command(
            "prune", "Drops old entries of the record. Nothing else ever drops entries.") { SharedOptions.Config, Before };
        prune.SetAction((parsed, _) => RunAsync(parsed, audit => Prune(audit, parsed.GetValue(Before))));
        var command = new Command(
            "audit",
            "Shows the append-only record of all signatures and revocations made by the proxy.") { SharedOptions.Config, Since,
            Count, SharedOptions.Json, prune };
        command.SetAction((parsed, _) => ProxyConfiguration.WithAsync(parsed, options => Task.FromResult(Show(options, parsed))));
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, Func<SignatureAudit, int> act) => ProxyConfiguration.WithAsync(parsed, options =>
    {
        using var audit = new SignatureAudit(options.StateDirectory);
        return Task.FromResult(act(audit));
    });

    private static int Show(SubstituterOptions options, ParseResult parsed)
    {
        using var audit = new SignatureAudit(options.StateDirectory);
        using var revoker = new Revoker(options);
        var (isJson, since, count) = (parsed.GetValue(SharedOptions.Json), parsed.GetValue(Since), parsed.GetValue(Count));
        var signatures = audit.Read(since, count).Select(entry => (entry.At, Text: isJson
            ? JsonSerializer.Serialize(entry, VerbJson.Default.AuditEntry)
            : $"{entry.At:yyyy-MM-dd HH:mm:ss}Z {entry.Outcome} {entry.Fingerprint} policy {entry.Policy[..16]}"
                + (entry.Bundle is { } bundle ? $" bundle {bundle[..16]}" : "")));
        var revocations = revoker.All().Where(entry => entry.At >= since).Select(entry => (entry.At, Text: Describe(entry, isJson)));
        foreach (var (_, text) in signatures.Concat(revocations).OrderBy(entry => entry.At).TakeLast(count))
        {
            Console.WriteLine(text);
        }

        return ExitCode.Good;
    }

    private static string Describe(Revocation entry, bool isJson)
    {
        var outcome = entry.IsUndone ? "revocation-undone" : Outcome.Revoked.Word();
        return isJson
            ? JsonSerializer.Serialize(new AuditedRevocation(entry.At, outcome, entry.Number, entry.Subject.ToString(), entry.Reason),
                VerbJson.Default.AuditedRevocation)
            : $"{entry.At:yyyy-MM-dd HH:mm:ss}Z {outcome} no. {entry.Number} {entry.Subject}: {entry.Reason}";
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
                if (!DateTimeOffset.TryParseExact(
                    result.Tokens.Single().Value, forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
                {
                    result.AddError($"{name} is '{result.Tokens.Single().Value}'; it must be a day or a time in UTC: 2027-01-31 or "
                        + $"2027-01-31T12:00:00Z.");
                }

                return time;
            },
        };
    }
}
