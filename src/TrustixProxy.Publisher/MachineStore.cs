using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Queries this machine's stores: Nix about paths in its store, the database of Guix's daemon about those in Guix's.</summary>
public static class MachineStore
{
    /// <summary>Describes these paths, all of which must be valid.</summary>
    /// <exception cref="NixException">The store cannot be queried, or a path is not valid.</exception>
    public static async Task<IReadOnlyList<DescribedOutput>> DescribeAsync(IEnumerable<StorePath> paths, CancellationToken cancellation)
    {
        var (guix, nix) = Split(paths);
        return [.. await NixStore.DescribeAsync(nix, cancellation), .. guix.Count is 0 ? [] : GuixStore.OfMachine.Describe(guix)];
    }

    /// <summary>Returns the closure of a path, references before their referrers.</summary>
    /// <exception cref="NixException">The store cannot be queried, or the path is not valid.</exception>
    public static async Task<IReadOnlyList<StorePath>> ClosureAsync(StorePath path, CancellationToken cancellation) =>
        path.Store == Store.Guix ? GuixStore.OfMachine.Closure(path) : await NixStore.ClosureAsync(path, cancellation);

    /// <summary>Returns the valid paths: those in the store and registered there.</summary>
    /// <exception cref="NixException">The store cannot be queried.</exception>
    public static async Task<IReadOnlyList<StorePath>> ValidAsync(IReadOnlyCollection<StorePath> paths, CancellationToken cancellation)
    {
        var (guix, nix) = Split(paths);
        return [.. await NixStore.ValidAsync(nix, cancellation), .. guix.Count is 0 ? [] : GuixStore.OfMachine.Valid(guix)];
    }

    /// <summary>Dumps a valid path as a NAR, as it is in the store now.</summary>
    /// <exception cref="NixException">Nix is missing.</exception>
    public static Stream Dump(StorePath path) => path.Store == Store.Guix ? GuixStore.Dump(path) : NixStore.Dump(path);

    private static (List<StorePath> Guix, List<StorePath> Nix) Split(IEnumerable<StorePath> paths)
    {
        var byStore = paths.ToLookup(path => path.Store == Store.Guix);
        return ([.. byStore[true]], [.. byStore[false]]);
    }
}
