using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy diff</c>: in which files two builders' outputs of one path differ, and how.</summary>
internal static class DiffVerb
{
    private const string Local = "local";

    private static readonly Argument<string> PathArgument = new(
        "path")
    { Description = "A store path, a base name in the store of the configuration, or a link to a path.", HelpName = "PATH" };

    private static readonly Option<string[]> Between = new("--between")
    {
        Description = $"The two NARs to compare: names of configured upstreams or caches, {Local} for this machine's store, or "
            + $"files (.nar, .nar.xz, .nar.zst). Default: the first two of the configuration with different NAR "
            + $"hashes.",
        Arity = new ArgumentArity(2, 2),
        AllowMultipleArgumentsPerToken = true,
        HelpName = "A B",
    };

    public static Command Create()
    {
        var command = new Command("diff", "Compares two builders' outputs of a path file by file while fetching both, and marks "
            + "likely times and build paths. Exit code 0: same; 1: different; 3: undetermined.")
        {
            PathArgument, Between, SharedOptions.Config, SharedOptions.Json,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.ReadAsync(parsed.GetValue(SharedOptions.Config), async options =>
    {
        using var sources = new NarSources(options);
        try
        {
            var words = parsed.GetValue(Between) is { Length: 2 } named ? named : null;
            var path = ReadPath(parsed.GetValue(PathArgument)!, options.Policy.Store, words is null || words.Any(sources.Names.Contains));
            var pair = words is null ? await DifferentAsync(sources, path, cancellation)
                : await NamedAsync(sources, path, words, cancellation);
            await using var json = new Utf8JsonWriter(Console.OpenStandardOutput(), DiffJson.Form);
            DiffReport report = parsed.GetValue(SharedOptions.Json) ? new DiffJson(json) : new DiffText(Console.Out);
            return await CompareAsync(path, pair, mustRead: words is not null, report, cancellation);
        }
        catch (FormatException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
        catch (Exception exception) when (exception is NixException or NarUnreadableException)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
    });

    /// <summary>Reads the path.</summary>
    /// <param name="store">The store of base names.</param>
    /// <param name="isAsked">Whether upstreams or caches are asked for it, all of which serve that store.</param>
    private static StorePath ReadPath(string text, Store store, bool isAsked)
    {
        var path = StorePath.TryParse(text, store, out var named, out _) || StorePathArgument.TryRead(text, out named) ? named
            : throw new FormatException($"PATH is '{text}'; it must be {store}/digest-name, digest-name, or a link to a store path.");
        return isAsked ? PatientReader.InStore(path, store, "PATH is") : path;
    }

    /// <summary>Compares the bytes of two NARs. Where the user has named none, two that name the same hash count as the same.</summary>
    private static async Task<int> CompareAsync(
        StorePath path, (NarSource A, NarSource B) pair, bool mustRead, DiffReport report, CancellationToken cancellation)
    {
        var (a, b) = pair;
        report.Begin(path, a, b);
        if (!mustRead && a.NarHash is not null && a.NarHash == b.NarHash)
        {
            report.End(null, null);
            return ExitCode.Good;
        }

        try
        {
            var result = await NarComparison.RunAsync(a, b, report.Tell, cancellation);
            report.End(result, null);
            return result.IsSame ? ExitCode.Good : ExitCode.No;
        }
        catch (NarUnreadableException exception)
        {
            report.End(null, exception.Message);
            throw;
        }
    }

    private static async Task<(NarSource A, NarSource B)> NamedAsync(
        NarSources sources, StorePath path, string[] words, CancellationToken cancellation)
    {
        var offers = (await sources.AskAsync(path, words, cancellation)).ToDictionary(offer => offer.Name);
        var found = new List<NarSource>();
        foreach (var word in words)
        {
            found.Add(offers.TryGetValue(word, out var offer)
                ? offer.Source ?? throw new NarUnreadableException(word, $"is not available: {offer.Fault}")
                : word is Local ? await LocalAsync(path, cancellation)
                : File.Exists(word) ? NarSources.OfFile(word)
                : throw new FormatException($"--between has '{word}', which is no upstream or cache of the configuration "
                    + $"({(sources.Names.Count is 0 ? "it has none" : string.Join(", ", sources.Names))}), nor '{Local}', nor a file."));
        }

        return (found[0], found[1]);
    }

    private static async Task<NarSource> LocalAsync(StorePath path, CancellationToken cancellation) =>
        (await MachineStore.ValidAsync([path], cancellation)).Count is 0
            ? throw new NarUnreadableException(Local, $"is not available: '{path.Absolute}' is not a valid path of this machine's store")
            : new NarSource(Local, null, null, _ => Task.FromResult(MachineStore.Dump(path)));

    /// <summary>The first two that name different hashes; the first two, when all name the same.</summary>
    private static async Task<(NarSource A, NarSource B)> DifferentAsync(NarSources sources, StorePath path, CancellationToken cancellation)
    {
        var offers = await sources.AskAllAsync(path, cancellation);
        var found = offers.Select(offer => offer.Source).OfType<NarSource>().ToList();
        return found.Count >= 2 ? (found[0], found.Find(source => source.NarHash != found[0].NarHash) ?? found[1])
            : throw new NarUnreadableException("two builders", $"is needed to compare, and of the upstreams and caches of the "
                + $"configuration {(found.Count is 0 ? "none has one" : $"only {found[0].Name} has one")}"
                + $"{string.Concat(offers.Where(offer => offer.Source is null).Select(offer => $"; {offer.Name}: {offer.Fault}"))}. Name "
                    + $"two with --between: an upstream, a cache, {Local}, or a file.");
    }
}
