using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Inspection;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>Reads lists of store paths, and what this machine's Nix says of them.</summary>
internal static class PatientReader
{
    /// <summary>Reads one path a line, until the end.</summary>
    /// <param name="name">What the lines are of, for messages.</param>
    /// <param name="store">The store that all paths must be in; base names are of it.</param>
    /// <exception cref="FormatException">A line is not a path in this store.</exception>
    public static async Task<IReadOnlyList<StorePath>> ReadLinesAsync(
        TextReader lines, string name, Store store, CancellationToken cancellation)
    {
        var paths = new List<StorePath>();
        while (await lines.ReadLineAsync(cancellation) is { } line)
        {
            paths.Add(StorePath.TryParseAbsolute(line, out var path, out _) || StorePath.TryParse(line, store, out path, out _)
                ? InStore(path, store, $"{name} has the line")
                : throw new FormatException($"{name} has the line '{line}', which is not a store path."));
        }

        return paths;
    }

    /// <summary>Returns a path that is in the store.</summary>
    /// <param name="place">Where the path was read, for the message.</param>
    /// <exception cref="FormatException">It is in another store.</exception>
    public static StorePath InStore(StorePath path, Store store, string place) => path.Store == store ? path
        : throw new FormatException($"{place} '{path.Absolute}', which is not in {store}: name paths of that store.");

    /// <summary>Whether this machine's Nix has a path.</summary>
    public static async Task<bool> IsInstalledAsync(StorePath path, CancellationToken cancellation) =>
        (await InstalledAsync([path], cancellation)).Count > 0;

    /// <summary>What this machine's Nix says of the paths; where there is no Nix, nothing is installed.</summary>
    public static async Task<IReadOnlyList<Patient>> DescribeAsync(IReadOnlyList<StorePath> paths, CancellationToken cancellation)
    {
        var described = (await MachineStore.DescribeAsync(await InstalledAsync(paths, cancellation), cancellation))
            .ToDictionary(output => output.Statement.Path, output => output.Statement);
        return [.. paths.Select(path => described.TryGetValue(path, out var statement)
            ? new Patient(path, statement.NarHash, statement.References) : new Patient(path, null, []))];
    }

    private static async Task<IReadOnlyList<StorePath>> InstalledAsync(IReadOnlyList<StorePath> paths, CancellationToken cancellation)
    {
        try
        {
            return await MachineStore.ValidAsync(paths, cancellation);
        }
        catch (NixException exception)
        {
            Console.Error.WriteLine($"installed paths are not checked: {exception.Message}");
            return [];
        }
    }
}
