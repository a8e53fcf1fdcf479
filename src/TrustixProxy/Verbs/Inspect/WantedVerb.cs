using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Wanted;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy wanted</c>: what the proxy could not decide, and whose vote is missing.</summary>
internal static class WantedVerb
{
    private const int Most = 20;

    public static Command Create()
    {
        var command = new Command("wanted", "Lists undecided paths that clients of the proxy asked for: how many asked, how "
            + "many roots each held back in the last doctor, and whose vote is missing.") { SharedOptions.Config,
            SharedOptions.Json };
        command.SetAction((parsed, cancellation) => ProxyConfiguration.WithAsync(
            parsed, options => RunAsync(options, parsed.GetValue(SharedOptions.Json), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(SubstituterOptions options, bool isJson, CancellationToken cancellation)
    {
        var (list, fault) = await WorkList.FindAsync(options, cancellation);
        if (list is null)
        {
            Console.Error.WriteLine(fault);
            return ExitCode.Unknown;
        }

        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(list, VerbJson.Indented.WantedList));
            return ExitCode.Good;
        }

        Console.WriteLine($"{Count(list.Wanted.Count, "path")} wanted");
        foreach (var entry in list.Wanted.Take(Most))
        {
            Console.WriteLine($"  {entry.StorePath}: {Lack(entry.Reason)}; asked for by {Count(entry.Requests, "client")}"
                + (entry.Roots > 0 ? $", holds back {Count(entry.Roots, "root")}" : "")
                + (entry.Missing.Count > 0 ? $"; no vote of {string.Join(", ", entry.Missing)}" : ""));
        }

        if (list.Wanted.Count > Most)
        {
            Console.WriteLine($"  and {list.Wanted.Count - Most:N0} more; --json lists all");
        }

        return ExitCode.Good;
    }

    private static string Lack(string reason) => reason switch
    {
        "second-opinion" => "needs a second opinion",
        "tie-break" => "needs a tie-break",
        _ => "needs votes",
    };

    private static string Count(int number, string what) => $"{number:N0} {what}{(number is 1 ? "" : "s")}";
}
