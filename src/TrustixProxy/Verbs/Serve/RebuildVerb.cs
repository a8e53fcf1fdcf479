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
        Description = "Exit once the work lists hold nothing that can be done now; with code 3 when one could not be read.",
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
            return targets.Count > 0 ? await RunAsync(options, rebuilder, targets, parsed, cancellation)
                : await RunAsync(options, rebuilder, parsed, cancellation);
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
                if (path.Store == Nix.Store.Nix)
                {
                    read.Add(new RebuildTarget(path, []));
                }
                else
                {
                    StartupMessage.Fail($"'{text}' is in {path.Store}; rebuild builds with Nix, so name a path or derivation in "
                        + $"{Nix.Store.Nix}. For Guix, 'guix build --no-substitutes --check PACKAGE' builds again and compares.");
                }
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
        RebuilderOptions options, PathRebuilder rebuilder, IReadOnlyList<RebuildTarget> targets, ParseResult parsed,
        CancellationToken cancellation)
    {
        var isJson = parsed.GetValue(SharedOptions.Json);
        IReadOnlyList<BuildRecord> records;
        using (var display = new RebuildDisplay(targets.Count, record => isJson ? [] : LinesOf(record), TimeProvider.System))
        {
            var loop = new WorkLoop(options, rebuilder, TimeProvider.System) { Begins = display.Begin };
            records = await loop.RunAsync(targets, parsed.GetValue(Again), display.End, cancellation);
        }

        if (isJson)
        {
            RebuildReport.Show(records, isJson);
        }

        return records.All(record => record.IsBuilt) ? ExitCode.Good : ExitCode.No;
    }

    private static async Task<int> RunAsync(
        RebuilderOptions options, PathRebuilder rebuilder, ParseResult parsed, CancellationToken cancellation)
    {
        var isJson = parsed.GetValue(SharedOptions.Json);
        using var lists = new WantedLists(options.Wanted, options.WantedToken, TimeProvider.System) { Identity = options.Identity };
        StartupMessage.Say($"rebuilding for {string.Join(", ", options.Wanted)} in {options.Store}; results to {options.SpoolDirectory}");
        SystemdNotify.Ready();
        using var display = new RebuildDisplay(
            all: null, record => isJson ? [RebuildReport.JsonOf(record)] : LinesOf(record), TimeProvider.System);
        var loop = new WorkLoop(options, rebuilder, TimeProvider.System) { Begins = display.Begin };
        Action<string> warn = text => display.Tell(() => StartupMessage.Warn(text));
        if (parsed.GetValue(Once))
        {
            var isComplete = true;
            await loop.DrainAsync(lists, display.End, text =>
            {
                isComplete = false;
                warn(text);
            }, cancellation);
            return isComplete ? ExitCode.Good : ExitCode.Unknown;
        }

        using var loggers = Microsoft.Extensions.Logging.LoggerFactory.Create(HostRun.LogToConsole);
        await loop.RunForeverAsync(lists, display.End, warn, loggers.CreateLogger("TrustixProxy.Rebuilder"), cancellation);
        cancellation.ThrowIfCancellationRequested();
        return ExitCode.Good;
    }

    /// <summary>What is printed of a build: one line, and on a terminal its inputs without votes too.</summary>
    private static IEnumerable<string> LinesOf(BuildRecord record) =>
        RebuildReport.LinesOf(record).Take(RebuildDisplay.IsTerminal ? int.MaxValue : 1);
}
