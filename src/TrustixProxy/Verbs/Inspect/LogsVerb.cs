using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy logs</c>: how the logs fare that the proxy asks; and the only way back for a frozen one.</summary>
internal static class LogsVerb
{
    private static readonly Argument<string> Name = new("name") { Description = "The log's name in the configuration.", HelpName = "NAME" };
    private static readonly Option<string> Reason = new(
        "--reason")
    { Description = "Reason for unfreezing; stored with the evidence.", Required = true, HelpName = "TEXT" };

    public static Command Create()
    {
        var unfreeze = new Command(
            "unfreeze",
            "Unfreezes a log: its votes count again, starting from its next head. A running proxy notices within a second.") { Name, Reason,
            SharedOptions.Config };
        unfreeze.SetAction((parsed, _) => ProxyConfiguration.WithAsync(
            parsed, options => Task.FromResult(Unfreeze(options, parsed.GetValue(Name)!, parsed.GetValue(Reason)!))));
        var logs = new Command("logs", "Lists every log with its size, last growth and state.") { SharedOptions.Config,
            SharedOptions.Json, unfreeze };
        logs.SetAction((parsed, _) =>
            ProxyConfiguration.WithAsync(parsed, options => Task.FromResult(List(options, parsed.GetValue(SharedOptions.Json)))));
        return logs;
    }

    private static int List(SubstituterOptions options, bool isJson)
    {
        using var register = new LogRegister(options.Logs, options.StateDirectory);
        var logs = register.List();
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(logs, VerbJson.Indented.IReadOnlyListLogStatus));
        }
        else
        {
            foreach (var log in logs)
            {
                var unfrozen = log.Unfreezings.Count is 0 ? "" : $"; unfrozen {string.Join(", ", log.Unfreezings)}";
                Console.WriteLine(
                    $"{log.Name}: {log.Size?.ToString("N0", null) ?? "no"} entries, last grown {Time(log.GrownAt)}, {log.State}{unfrozen}");
            }
        }

        return logs.Any(log => log.IsFrozen) ? ExitCode.No : ExitCode.Good;
    }

    private static int Unfreeze(SubstituterOptions options, string name, string reason)
    {
        using var register = new LogRegister(options.Logs, options.StateDirectory);
        if (options.Logs.All(log => log.Elector.Name != name))
        {
            Console.Error.WriteLine(
                $"NAME is '{name}'; the configuration has {string.Join(", ", options.Logs.Select(log => log.Elector.Name))}.");
            return ExitCode.Usage;
        }

        if (string.IsNullOrWhiteSpace(reason))
        {
            Console.Error.WriteLine("--reason is empty; give a reason for later readers.");
            return ExitCode.Usage;
        }

        var isDone = register.Unfreeze(name, reason);
        Console.WriteLine(isDone ? $"{name} is unfrozen; it votes again, starting from its next head" : $"{name} is not frozen");
        return isDone ? ExitCode.Good : ExitCode.No;
    }

    private static string Time(DateTimeOffset? time) => time is null ? "never seen" : $"{time:yyyy-MM-dd HH:mm:ss}Z";
}
