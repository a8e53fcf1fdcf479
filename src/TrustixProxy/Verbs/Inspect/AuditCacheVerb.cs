using System.Collections.Immutable;
using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Nars.Auditing;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy audit-cache</c>: whether the NARs of a binary cache are what its narinfos say.</summary>
internal static class AuditCacheVerb
{
    private const string StandardInput = "-";

    private static readonly Argument<string> Cache = new("url")
    {
        Description = "Address of a binary cache, or the name of an upstream or cache of the configuration, whose credentials and keys "
            + "are then used.",
        HelpName = "URL",
    };

    private static readonly Argument<string[]> Paths = new("path")
    {
        Description = $"Store paths or links to them; {StandardInput} reads paths from standard input.",
        Arity = ArgumentArity.ZeroOrMore,
        HelpName = "PATH",
    };

    private static readonly Option<string[]> Closure = new("--closure")
    {
        Description = "A store path or a link to one, checked with all its references, as the cache's narinfos list them. Repeatable.",
        HelpName = "PATH",
    };

    private static readonly Option<string[]> PublicKeys = new("--public-key")
    {
        Description = "Demand a valid signature by this key, or by one of several; content-addressed paths need none. For Guix the text of "
            + "a signing-key.pub. Repeatable.",
        HelpName = "KEY",
    };

    private static readonly Option<string?> StoreOption = new("--store")
    {
        Description = $"Store of the cache: {Store.Nix} or {Store.Guix}. Default: the store of the configuration.",
        HelpName = "STORE",
    };

    private static readonly Option<bool> References = new("--references")
    {
        Description = "Also demand that each NAR contains the references that its narinfo lists.",
    };

    private static readonly Option<string?> State = new("--state")
    {
        Description = "Keep what was right in this file; the next run skips it and checks all else.",
        HelpName = "FILE",
    };

    private static readonly Option<string?> Rate = new("--rate")
    {
        Description = "Read at most this many bytes per second: digits, and then KiB, MiB, GiB, TiB or nothing.",
        HelpName = "SIZE",
    };

    private static readonly Option<int> Parallel = new("--parallel")
    {
        Description = "Check this many paths at once, from 1 to 64.",
        DefaultValueFactory = _ => 4,
        HelpName = "N",
    };

    private static readonly Option<int> Wait = new("--wait")
    {
        Description = "Try a path again for this many seconds while the cache fails or asks for a pause, from 0 to 3600.",
        DefaultValueFactory = _ => 60,
        HelpName = "SECONDS",
    };

    public static Command Create()
    {
        var command = new Command("audit-cache", "Fetches NARs of a binary cache and checks that they are what its narinfos say: "
            + "compression, size and hash of file and NAR, and signatures. Exit code 0: all are right; 1: one is wrong; 3: something "
            + "could not be checked.")
        {
            Cache, Paths, Closure, PublicKeys, StoreOption, References, State, Rate, Parallel, Wait, SharedOptions.Config,
            SharedOptions.Json,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.ReadAsync(parsed.GetValue(SharedOptions.Config), async options =>
    {
        try
        {
            var store = ReadStore(parsed.GetValue(StoreOption)) ?? options.Policy.Store;
            var paths = await ReadPathsAsync(parsed, store, cancellation);
            var demands = Demand(parsed, options, store);
            var state = parsed.GetValue(State) is { } file ? AuditState.Open(file, demands) : null;
            var result = await RunAsync(demands, state, paths, cancellation);
            return new AuditCacheReport(demands, paths, result).Write(Console.Out, parsed.GetValue(SharedOptions.Json));
        }
        catch (FormatException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"--state: '{parsed.GetValue(State)}' cannot be read or written: {exception.Message}");
            return ExitCode.Unknown;
        }
    });

    private static async Task<CacheAuditResult> RunAsync(
        AuditDemands demands, AuditState? state, IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        using var audit = new CacheAudit(demands, state, TimeProvider.System);
        return await ProgressBar.ShowAsync("of the known paths", 1, tell =>
            audit.RunAsync(paths, (done, known) => tell((double)done / known), cancellation));
    }

    private static Store? ReadStore(string? text) => text is null ? null : Store.TryParse(text, out var store) ? store
        : throw new FormatException($"--store is '{text}'; it must be {Store.Nix} or {Store.Guix}.");

    private static AuditDemands Demand(ParseResult parsed, SubstituterOptions options, Store store)
    {
        var (cache, keys) = FindCache(parsed.GetValue(Cache)!, options, store);
        var named = (parsed.GetValue(PublicKeys) ?? []).Select(text => ReadKey(text, store)).ToImmutableArray();
        var reached = cache with { Proxies = options.Proxies, Serves = ServedFile.NarInfoOf(store) };
        return new AuditDemands(reached, named.IsEmpty ? keys : named)
        {
            AreReferencesSought = parsed.GetValue(References),
            IsOfClosure = IsOfClosure(parsed),
            Parallel = Within(Parallel, parsed, 1, 64),
            Rate = parsed.GetValue(Rate) is not { } rate ? null : ByteSize.TryRead(rate, out var size) ? size
                : throw new FormatException($"--rate is '{rate}'; it must be {ByteSize.Form}."),
            Patience = TimeSpan.FromSeconds(Within(Wait, parsed, 0, 3600)),
        };
    }

    private static (UpstreamOptions Cache, ImmutableArray<CacheKey> Keys) FindCache(string text, SubstituterOptions options, Store store)
    {
        var upstream = options.Upstreams.FirstOrDefault(upstream => upstream.Name == text);
        var voter = options.Caches.FirstOrDefault(cache => cache.Elector.Name == text);
        if ((upstream?.Url ?? voter?.Url) is { } known)
        {
            if (store != options.Policy.Store)
            {
                throw new FormatException($"--store is '{store}', but '{text}' of the configuration is a cache of {options.Policy.Store}: "
                    + "leave --store out.");
            }

            var credentials = (upstream ?? options.Upstreams.FirstOrDefault(other => other.Url == known))?.Credentials;
            return (upstream ?? new UpstreamOptions(text, known, 0, credentials), voter?.Elector.Keys ?? []);
        }

        if (ServiceUrl.FaultOf(text, UrlForms.Folder | UrlForms.Priority, out var url, out _) is { } fault)
        {
            var names = options.Upstreams.Select(other => other.Name).Concat(options.Caches.Select(cache => cache.Elector.Name)).Distinct();
            throw new FormatException($"URL {fault} It may also be a name of the configuration"
                + $"{(names.Any() ? $": {string.Join(", ", names)}." : ", which has none.")}");
        }

        return (new UpstreamOptions(url!.IsFile ? url.LocalPath : url.Authority, url, 0), []);
    }

    private static CacheKey ReadKey(string text, Store store)
    {
        if (store == Store.Guix)
        {
            return GuixPublicKey.TryParse(text, out var guix, out _) ? guix
                : throw new FormatException($"--public-key is '{text}'; for {store} it must be the text of a signing-key.pub.");
        }

        return NixPublicKey.TryParse(text.Trim(), out var key, out _) ? key
            : throw new FormatException($"--public-key is '{text}'; it must be name:base64 of a key that is safe to trust, as in "
                + "trusted-public-keys.");
    }

    private static int Within(Option<int> option, ParseResult parsed, int least, int most) =>
        parsed.GetValue(option) is var number && number >= least && number <= most ? number
            : throw new FormatException($"{option.Name} is {number}; it must be a whole number from {least} to {most}.");

    private static bool IsOfClosure(ParseResult parsed) => parsed.GetValue(Closure) is { Length: > 0 };

    private static async Task<IReadOnlyCollection<StorePath>> ReadPathsAsync(
        ParseResult parsed, Store store, CancellationToken cancellation)
    {
        var (texts, roots) = (parsed.GetValue(Paths) ?? [], parsed.GetValue(Closure) ?? []);
        if (texts.Length > 0 == roots.Length > 0)
        {
            throw new FormatException(texts.Length > 0 ? "PATH and --closure are both given; give one of them."
                : "no path to check is given: name PATHs, - for a list on standard input, or --closure PATH.");
        }

        var paths = texts.Concat(roots).Where(text => text is not StandardInput).Select(text => Read(text, store)).ToHashSet();
        if (texts.Contains(StandardInput))
        {
            paths.UnionWith(await PatientReader.ReadLinesAsync(Console.In, "Standard input", store, cancellation));
        }

        return paths.Count is 0 ? throw new FormatException("Standard input has no path to check.")
            : paths.FirstOrDefault(path => path.Store != store) is { } other
                ? throw new FormatException($"PATH is '{other.Absolute}', but a cache of {store} is audited: for the other store give "
                    + $"--store {other.Store}, or a configuration with that store.")
            : paths;
    }

    private static StorePath Read(string text, Store store) =>
        StorePath.TryParse(text, store, out var path, out _) || StorePathArgument.TryRead(text, out path) ? path
            : throw new FormatException($"PATH is '{text}'; it must be {store}/digest-name, digest-name, or a link to a store path.");
}
