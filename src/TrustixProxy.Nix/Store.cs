namespace TrustixProxy.Nix;

/// <summary>A store, which decides the form of narinfos, keys and signatures.</summary>
public sealed class Store
{
    private Store(string directory) => Directory = directory;

    /// <summary>Nix's store, <c>/nix/store</c>.</summary>
    public static Store Nix { get; } = new("/nix/store");

    /// <summary>GNU Guix's store, <c>/gnu/store</c>.</summary>
    public static Store Guix { get; } = new("/gnu/store");

    /// <summary>Number of characters of each store's directory.</summary>
    internal const int DirectoryLength = 10;

    /// <summary>The directory of all its paths.</summary>
    public string Directory { get; }

    /// <summary>Parses a store's directory.</summary>
    public static bool TryParse(ReadOnlySpan<char> directory, [NotNullWhen(true)] out Store? store)
    {
        store = directory.SequenceEqual(Nix.Directory) ? Nix : directory.SequenceEqual(Guix.Directory) ? Guix : null;
        return store is not null;
    }

    /// <summary>The directory.</summary>
    public override string ToString() => Directory;
}
