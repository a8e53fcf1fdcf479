using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Builds;
using TrustixProxy.Rebuilder.Derivations;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Rebuilder.Work;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Serve;

/// <summary><c>trustix-proxy rebuild</c>: builds store paths itself and leaves the results for <c>publish</c>.</summary>
internal static class RebuildVerb
{
    private static readonly Argument<string[]> Paths = new("PATH")
    {
        Description = "Store paths, derivations, or files with a derivation (….drv). Without any: the work lists of the proxies in "
            + "rebuilder.wanted.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Store = new("--store")
    {
        Description = "Folder of the rebuilder's own store; default: the key rebuilder.store.",
        HelpName = "FOLDER",
    };

    private static readonly Option<bool> Once = new("--once")
    {
        Description = "Exit once the work lists hold nothing that can be done now.",
    };

    private static readonly Option<bool> Again = new("--again") { Description = "Build again what was built before." };
    private static readonly Option<bool> Results = new("--results") { Description = "Show what was rebuilt so far, and build nothing." };

    public static Command Create()
    {
        var command = new Command("rebuild", "Builds store paths in a store of its own, whatever other stores hold, and queues the results "
            + "for publish: also when they differ from what others say. A failed build is recorded, and never a vote.")
        {
            Paths, SharedOptions.Config, Store, Once, Again, Results, SharedOptions.Json,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var store = parsed.GetValue(Store);
        var (options, faults) = ConfigurationFile.Read(
            parsed.GetValue(SharedOptions.Config), section => RebuildConfiguration.Read(section, parsed.GetValue(Results), store));
        if (options is null)
        {
            return ExitCode.Refuse(faults);
        }

        if (parsed.GetValue(Results))
        {
            RebuildReport.Show(RecordFolder.Read(options.RecordFolder), parsed.GetValue(SharedOptions.Json));
            return ExitCode.Good;
        }

        if (!TryReadTargets(parsed.GetValue(Paths)!, out var targets))
        {
            return ExitCode.Usage;
        }

        if (targets.Count is 0 && options.Wanted.IsEmpty)
        {
            StartupMessage.Fail("nothing to rebuild: give store paths or derivations, or set rebuilder.wanted to the operations listeners "
                + "of proxies, for example [\"http://127.0.0.1:8081\"].");
            return ExitCode.Usage;
        }

        try
        {
            await Task.Yield(); // as in serve
            using var rebuilder = new PathRebuilder(options, TimeProvider.System);
            await rebuilder.CheckSandboxAsync(cancellation);
            var loop = new WorkLoop(options, rebuilder, TimeProvider.System);
            return targets.Count > 0 ? await RunAsync(loop, targets, parsed, cancellation)
                : await RunAsync(loop, options, parsed, cancellation);
        }
        catch (NixException exception)
        {
            StartupMessage.Fail(exception.Message);
            return ExitCode.Unknown;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            StartupMessage.Fail(exception.Message);
            return ExitCode.Usage;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            SystemdNotify.Stopping();
            return targets.Count is 0 && !parsed.GetValue(Once) ? ExitCode.Good : ExitCode.Unknown;
        }
    }

    private static bool TryReadTargets(string[] texts, out IReadOnlyList<RebuildTarget> targets)
    {
        var read = new List<RebuildTarget>();
        foreach (var text in texts)
        {
            var error = $"'{text}' is neither a store path nor a derivation.";
            if (StorePathArgument.TryRead(text, out var path))
            {
                read.Add(new RebuildTarget(path, []));
            }
            else if (text.EndsWith(".drv", StringComparison.Ordinal) && DerivationFile.TryOpen(text, out var file, out error))
            {
                read.Add(new RebuildTarget(file.Path, []) { File = file });
            }
            else
            {
                StartupMessage.Fail(error);
            }
        }

        targets = [.. read.DistinctBy(target => target.Path)];
        return read.Count == texts.Length;
    }

    private static async Task<int> RunAsync(
        WorkLoop loop, IReadOnlyList<RebuildTarget> targets, ParseResult parsed, CancellationToken cancellation)
    {
        var isJson = parsed.GetValue(SharedOptions.Json);
        var isTerminal = !Console.IsErrorRedirected;
        var records = await ProgressBar.ShowAsync($"of {targets.Count} builds", targets.Count, advance =>
        {
            var done = 0;
            return loop.RunAsync(targets, parsed.GetValue(Again), record =>
            {
                advance(++done);
                if (!isTerminal && !isJson)
                {
                    Console.WriteLine(record);
                }
            }, cancellation);
        });
        if (isTerminal || isJson)
        {
            RebuildReport.Show(records, isJson);
        }

        return records.All(record => record.IsBuilt) ? ExitCode.Good : ExitCode.No;
    }

    private static async Task<int> RunAsync(
        WorkLoop loop, RebuilderOptions options, ParseResult parsed, CancellationToken cancellation)
    {
        using var lists = new WantedLists(options.Wanted, options.WantedToken, TimeProvider.System) { Identity = options.Identity };
        Action<BuildRecord> tell = parsed.GetValue(SharedOptions.Json)
            ? record => Console.WriteLine(RebuildReport.LineOf(record)) : Console.WriteLine;
        StartupMessage.Say($"rebuilding for {string.Join(", ", options.Wanted)} in {options.Store}; results to {options.SpoolDirectory}");
        SystemdNotify.Ready();
        if (parsed.GetValue(Once))
        {
            await loop.DrainAsync(lists, tell, StartupMessage.Warn, cancellation);
            return ExitCode.Good;
        }

        using var loggers = Microsoft.Extensions.Logging.LoggerFactory.Create(HostRun.LogToConsole);
        await loop.RunForeverAsync(lists, tell, StartupMessage.Warn, loggers.CreateLogger("TrustixProxy.Rebuilder"), cancellation);
        cancellation.ThrowIfCancellationRequested();
        return ExitCode.Good;
    }
}
