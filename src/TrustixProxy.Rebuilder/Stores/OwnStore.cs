using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Derivations;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>The rebuilder's own store: a folder that Nix uses without a daemon, in which alone it builds.</summary>
/// <remarks>Paths are still called <c>/nix/store/…</c>; in the folder they lie at <c>FOLDER/nix/store/…</c>. Only content-addressed paths
/// (derivations, their sources) come from the machine's store; anything from a cache needs a signature or proves itself.</remarks>
internal sealed class OwnStore(string folder, NixCommand nix)
{
    /// <summary>Maximum number of paths per command line, whose length the system limits.</summary>
    private const int MaxPaths = 500;

    /// <summary>Folders in the store's.</summary>
    public const string TemporaryFolder = "tmp", HomeFolder = "home";

    private const string LogFolder = "nix/var/log/nix";

    /// <summary>The folder.</summary>
    public string Folder => folder;

    /// <summary>Copies a derivation, the derivations below it and their sources out of the machine's store.</summary>
    /// <exception cref="NixException">It is not there, or something in it neither proves itself nor has a trusted signature.</exception>
    public Task CopyDerivationAsync(StorePath derivation, CancellationToken cancellation) =>
        nix.RunAsync("nix", ["copy", "--derivation", "--to", folder, derivation.Absolute], cancellation);

    /// <summary>Takes in a derivation that lies in a file; what it refers to comes from the machine's store.</summary>
    /// <remarks>Through a cache of this one path, without a signature: Nix checks that the path is made from the content.</remarks>
    /// <exception cref="NixException">Something that it refers to is not there.</exception>
    public async Task ImportAsync(DerivationFile file, CancellationToken cancellation)
    {
        foreach (var reference in file.References)
        {
            await (Derivation.IsNamedBy(reference) ? CopyDerivationAsync(reference, cancellation)
                : nix.RunAsync("nix", ["copy", "--to", folder, reference.Absolute], cancellation));
        }

        var cache = DerivationCache.Write(Path.Combine(folder, "home", "import"), file);
        await nix.RunAsync("nix",
            ["copy", "--no-recursive", "--derivation", "--from", $"file://{cache}", "--to", folder, file.Path.Absolute], cancellation);
    }

    /// <summary>Reads a derivation of this store.</summary>
    /// <exception cref="NixException">It cannot be read, or cannot be rebuilt.</exception>
    public Derivation Read(StorePath derivation)
    {
        try
        {
            var bytes = DerivationFile.ReadBytes(FileOf(derivation));
            return DerivationReader.TryRead(bytes, out var read, out var error) ? read
                : throw new NixException($"{derivation.Absolute} cannot be rebuilt: {Explain(error)}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new NixException($"{derivation.Absolute} cannot be read: {exception.Message}");
        }
    }

    /// <summary>Asks the machine's store which derivation built a path; null when it does not know.</summary>
    public async Task<StorePath?> FindDeriverAsync(StorePath path, CancellationToken cancellation)
    {
        try
        {
            var said = (await nix.RunAsync("nix-store", ["-q", "--deriver", path.Absolute], cancellation)).Trim();
            return StorePath.TryParseAbsolute(said, out var deriver, out _) ? deriver : null;
        }
        catch (NixException)
        {
            return null; // the path is not in the machine's store
        }
    }

    /// <summary>Evaluates what the configuration names, in this store, and returns the derivations.</summary>
    /// <param name="expression">A file, <c>FILE#ATTRIBUTE</c>, or a flake's <c>REFERENCE#ATTRIBUTE</c>.</param>
    /// <exception cref="NixException">It cannot be evaluated.</exception>
    public async Task<IReadOnlyList<StorePath>> EvaluateAsync(string expression, CancellationToken cancellation)
    {
        var (source, attribute) = expression.IndexOf('#', StringComparison.Ordinal) is var at and >= 0
            ? (expression[..at], expression[(at + 1)..]) : (expression, "");
        string[] selected = attribute.Length > 0 ? ["-A", attribute] : [];
        var output = Path.Exists(source) && !File.Exists(Path.Combine(source, "flake.nix"))
            ? await nix.RunAsync("nix-instantiate", ["--store", folder, source, .. selected], cancellation)
            : await nix.RunAsync("nix",
                ["--extra-experimental-features", "flakes", "--store", folder, "path-info", "--derivation", expression], cancellation);
        return [.. Lines(output).Select(line => line.Split('!')[0].Split('^')[0])
            .Select(line => StorePath.TryParseAbsolute(line, out var path, out _) ? path : null).OfType<StorePath>()];
    }

    /// <summary>Returns those of the paths that are not valid here.</summary>
    public async Task<IReadOnlyList<StorePath>> InvalidAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        var invalid = new List<StorePath>();
        foreach (var part in paths.Chunk(MaxPaths))
        {
            invalid.AddRange(ReadPaths(await nix.RunAsync(
                "nix-store", ["--store", folder, "--check-validity", "--print-invalid", .. Names(part)], cancellation)));
        }

        return invalid;
    }

    /// <summary>Fetches paths from the configured substituter; what it lacks stays invalid. Builds nothing.</summary>
    public async Task<string> SubstituteAsync(IReadOnlyCollection<StorePath> paths, NixBounds bounds, CancellationToken cancellation)
    {
        var reason = "";
        foreach (var part in paths.Chunk(MaxPaths))
        {
            var end = await nix.TryRunAsync("nix-store",
                ["--store", folder, "--max-jobs", "0", "--keep-going", "--option", "substitute", "true", "-r", .. Names(part)], bounds,
                cancellation);
            reason = end.Code is 0 ? reason : end.Reason;
        }

        return reason;
    }

    /// <summary>Builds a derivation here, all of whose inputs are here unless they are to be built, too. Substitutes nothing.</summary>
    public Task<NixEnd> BuildAsync(StorePath derivation, NixBounds bounds, CancellationToken cancellation)
    {
        var seconds = ((long)Math.Min(bounds.Time.TotalSeconds, int.MaxValue)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return nix.TryRunAsync("nix-store", ["--store", folder, "--no-build-output", "--max-jobs", "1", "--timeout", seconds, "--option",
            "substitute", "false", "--option", "substituters", "", "-r", derivation.Absolute], bounds, cancellation);
    }

    /// <summary>Describes valid paths.</summary>
    /// <exception cref="NixException">One is not valid.</exception>
    public async Task<IReadOnlyList<OwnPath>> DescribeAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        var described = new List<OwnPath>();
        foreach (var part in paths.Chunk(MaxPaths))
        {
            var json = await nix.RunAsync("nix", ["--store", folder, "path-info", "--json", .. Names(part)], cancellation);
            described.AddRange(OwnPath.Read(json));
        }

        return described.Count == paths.Count ? described
            : throw new NixException($"nix path-info described {described.Count} of {paths.Count} paths");
    }

    /// <summary>Returns the paths and all that they refer to.</summary>
    public async Task<IReadOnlyList<StorePath>> ClosureAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        var closure = new HashSet<StorePath>();
        foreach (var part in paths.Chunk(MaxPaths))
        {
            closure.UnionWith(ReadPaths(
                await nix.RunAsync("nix-store", ["--store", folder, "-q", "--requisites", .. Names(part)], cancellation)));
        }

        return [.. closure];
    }

    /// <summary>Removes valid paths and all that refers to them, so that they are built or fetched anew.</summary>
    /// <exception cref="NixException">A running build uses one of them.</exception>
    public async Task RemoveAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        var invalid = await InvalidAsync(paths, cancellation);
        var valid = paths.Except(invalid).ToList();
        if (valid.Count > 0)
        {
            var all = ReadPaths(
                await nix.RunAsync("nix-store", ["--store", folder, "-q", "--referrers-closure", .. Names(valid)], cancellation));
            await nix.RunAsync("nix-store", ["--store", folder, "--delete", "--ignore-liveness", .. Names(all.Distinct())], cancellation);
        }
    }

    /// <summary>Hashes paths again; throws when one is not what it was when it came.</summary>
    /// <exception cref="NixException">One was changed.</exception>
    public async Task VerifyAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        foreach (var part in paths.Chunk(MaxPaths))
        {
            await nix.RunAsync("nix-store", ["--store", folder, "--verify-path", .. Names(part)], cancellation);
        }
    }

    /// <summary>Removes up to this many bytes of paths; those that are in use stay.</summary>
    public Task CollectAsync(long bytes, CancellationToken cancellation) => nix.RunAsync("nix-store",
        ["--store", folder, "--gc", "--max-freed", bytes.ToString(System.Globalization.CultureInfo.InvariantCulture)], cancellation);

    /// <summary>The folders and files that a build of this derivation fills.</summary>
    public IEnumerable<string> FoldersOf(StorePath derivation, Derivation read)
    {
        yield return SandboxOf(derivation);
        yield return LogOf(derivation);
        foreach (var output in read.Outputs)
        {
            yield return FileOf(output.Path);
        }
    }

    /// <summary>The folder that a build of a derivation sees as its root, and fills.</summary>
    public string SandboxOf(StorePath derivation) => FileOf(derivation) + ".chroot";

    /// <summary>Bytes of all that builds and evaluations leave here: paths, also those that Nix does not know as valid, logs, temporary
    /// files, caches.</summary>
    public Task<long> SizeAsync(CancellationToken cancellation) => FolderSize.OfAsync(
        new[] { "nix/store", LogFolder, TemporaryFolder, HomeFolder }.Select(part => Path.Combine(folder, part)), cancellation);

    /// <summary>The folder for the temporary files of a build.</summary>
    public string TemporaryOf(StorePath derivation) => Path.Combine(folder, TemporaryFolder, derivation.Digest.ToString());

    /// <summary>Removes what can be made again, and what no garbage collector of Nix sees: logs, caches, and temporary files.</summary>
    /// <param name="inUse">The derivations that may be being built.</param>
    public void RemoveLeftovers(IEnumerable<StorePath> inUse)
    {
        var kept = inUse.Select(TemporaryOf).ToHashSet(StringComparer.Ordinal);
        var temporary = Path.Combine(folder, TemporaryFolder);
        foreach (var leftover in Directory.Exists(temporary) ? Directory.GetDirectories(temporary).Where(path => !kept.Contains(path)) : [])
        {
            Remove(leftover);
        }

        Remove(Path.Combine(folder, LogFolder, "drvs"));
        Remove(Path.Combine(folder, HomeFolder, "cache"));
    }

    /// <summary>Removes a folder as far as it can be removed.</summary>
    public static void Remove(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // it is not there, or a build writes to it still: Nix removes it when it builds there again
        }
    }

    /// <summary>The log that Nix keeps of a build.</summary>
    private string LogOf(StorePath derivation) => Path.Combine(
        folder, LogFolder, "drvs", $"{derivation}"[..2], $"{derivation}"[2..] + ".bz2");

    private string FileOf(StorePath path) => Path.Combine(folder, path.Absolute[1..]);

    private static IEnumerable<string> Names(IEnumerable<StorePath> paths) => paths.Select(path => path.Absolute);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static IReadOnlyList<StorePath> ReadPaths(string text) => [.. Lines(text).Select(line =>
        StorePath.TryParseAbsolute(line, out var path, out _) ? path : throw new NixException($"'{line}' is not a store path"))];

    private static string Explain(DerivationError error) => error switch
    {
        DerivationError.UnknownOutput => "the paths of its outputs are known only after the build (content-addressed or impure)",
        DerivationError.Dynamic => "it is a dynamic derivation",
        DerivationError.TooLarge => $"it has more than {Derivation.MaxSize >> 20} MiB",
        _ => $"it is not a derivation file ({error})",
    };
}
