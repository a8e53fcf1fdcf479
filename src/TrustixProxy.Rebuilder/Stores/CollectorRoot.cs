using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>Keeps a path of the rebuilder's store, and what it refers to, from the garbage collector until disposed.</summary>
internal sealed class CollectorRoot : IDisposable
{
    private const string Prefix = "rebuild-";

    private readonly string _link;

    /// <param name="store">The store's folder.</param>
    /// <exception cref="IOException">The store cannot be written to.</exception>
    public CollectorRoot(string store, StorePath path)
    {
        _link = Path.Combine(Directory.CreateDirectory(FolderOf(store)).FullName, $"{Prefix}{path.Digest}-{Guid.NewGuid():n}");
        File.CreateSymbolicLink(_link, path.Absolute);
    }

    /// <summary>Removes the roots that a killed process left.</summary>
    public static void RemoveAll(string store)
    {
        foreach (var link in Directory.Exists(FolderOf(store)) ? Directory.GetFileSystemEntries(FolderOf(store), $"{Prefix}*") : [])
        {
            File.Delete(link);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => File.Delete(_link);

    private static string FolderOf(string store) => Path.Combine(store, "nix", "var", "nix", "gcroots");
}
