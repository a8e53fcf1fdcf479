using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.Configuration;
using TrustixProxy.Consensus;
using TrustixProxy.Terminal;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt explain</c>: asks the rebuilders about a package, and shows what each says.</summary>
internal static class AptExplainVerb
{
    private const int MostFiles = 10;

    private static readonly Argument<string> Package = new("package")
    {
        Description = "A binary package's name or file name, as the gate's indexes have it; or a .deb file.",
        HelpName = "PACKAGE",
    };

    private static readonly Option<string?> Bundle = new("--bundle")
    {
        Description = "Write the decision with its attestations to FILE, for apt verify.",
        HelpName = "FILE",
    };

    public static Command Create()
    {
        var command = new Command("explain", "Explains what is decided on a package: what each rebuilder says now, and what follows.")
        {
            Package, SharedOptions.Config, SharedOptions.Json, Bundle,
        };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        var (read, faults) = ConfigurationFile.Read(
            parsed.GetValue(SharedOptions.Config), section => AptConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        var text = parsed.GetValue(Package)!;
        IReadOnlyList<(AskedDeb Asked, string? Version)> found;
        try
        {
            found = text.EndsWith(".deb", StringComparison.Ordinal) && File.Exists(text) ? [await OfFileAsync(text)]
                : OfIndexes(read.Options, text);
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException or FormatException)
        {
            Console.Error.WriteLine($"PACKAGE is '{text}': {exception.Message}");
            return ExitCode.Usage;
        }

        if (found.Count is 0)
        {
            Console.Error.WriteLine($"PACKAGE is '{text}', which no index that passed the gate names. Run apt update through the gate, or "
                + "give the .deb file.");
            return ExitCode.Usage;
        }

        var code = ExitCode.Good;
        foreach (var (asked, version) in found)
        {
            code = Math.Max(code, await ExplainAsync(read.Options, asked, version, parsed));
        }

        return code;
    }

    private static async Task<int> ExplainAsync(AptGateOptions options, AskedDeb asked, string? version, ParseResult parsed)
    {
        var clients = options.Rebuilders.Select(
            rebuilder => new RebuilderClient(rebuilder, options.Deadline, TimeProvider.System, NullLogger.Instance)).ToList();
        try
        {
            var verdict = await new RebuilderPoll(options.Policy, clients, options.Deadline, TimeProvider.System).AskAsync(asked, version);
            if (parsed.GetValue(Bundle) is { } file)
            {
                await File.WriteAllBytesAsync(file, DebBundle.Of(verdict, TimeProvider.System.GetUtcNow(), options.Policy).ToBytes());
            }

            Print(verdict, parsed.GetValue(SharedOptions.Json));
            return verdict.IsGranted ? ExitCode.Good : verdict.MayChange ? ExitCode.Unknown : ExitCode.No;
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
    }

    private static void Print(DebVerdict verdict, bool isJson)
    {
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(new ExplainedPackage(
                verdict.Asked.File.FileName, verdict.Asked.Sha256.ToString(), verdict.Outcome.Word(), verdict.Sentence,
                verdict.Answers.Select(answer => new PackageAnswer(answer.Elector.Name, answer.Elector.Operator, Says(answer.Ballot)))),
                AptJson.Indented.ExplainedPackage));
            return;
        }

        Console.WriteLine($"{verdict.Asked.Text}\n{verdict.Outcome.Word()}: {verdict.Sentence}");
        foreach (var answer in verdict.Answers)
        {
            Console.WriteLine($"  {answer.Elector.Name} ({answer.Elector.Operator}): {Says(answer.Ballot)}");
        }
    }

    private static string Says(DebBallot ballot) => ballot switch
    {
        DebBallot.Claimed { Claim: var claim } => $"signed {claim.Text}",
        DebBallot.Bad => "could not reproduce it (unsigned, so it proves nothing)",
        DebBallot.Unknown => "does not know it, or has not built it yet",
        DebBallot.Silent { IsAnswer: true } useless => $"answers, and proves nothing: {Kebab.Of(useless.Reason)}",
        DebBallot.Silent silent => $"silent: {Kebab.Of(silent.Reason)}",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static IReadOnlyList<(AskedDeb, string?)> OfIndexes(AptGateOptions options, string text)
    {
        if (!Directory.Exists(options.IndexDirectory))
        {
            return [];
        }

        using var book = new IndexBook(options.IndexDirectory);
        return [.. book.Search(text, MostFiles)
            .Select(found => DebFile.TryParse(found.FileName, out var file)
                ? (new AskedDeb(file, found.File.Sha256), (string?)found.File.Version) : default)
            .Where(found => found.Item1 is not null)];
    }

    /// <summary>A file, which apt keeps in its cache under a name with the epoch.</summary>
    private static async Task<(AskedDeb, string?)> OfFileAsync(string path)
    {
        var parts = Uri.UnescapeDataString(Path.GetFileName(path)).Split('_');
        var version = parts.Length is 3 ? parts[1] : "";
        var epoch = version.IndexOf(':', StringComparison.Ordinal);
        var name = parts.Length is 3 ? $"{parts[0]}_{version[(epoch + 1)..]}_{parts[2]}" : "";
        await using var content = File.OpenRead(path);
        return DebFile.TryParse(name, out var file)
            ? (new AskedDeb(file, new Digest(await SHA256.HashDataAsync(content))), epoch < 0 ? null : version)
            : throw new FormatException("the file's name must be NAME_VERSION_ARCHITECTURE.deb.");
    }
}
