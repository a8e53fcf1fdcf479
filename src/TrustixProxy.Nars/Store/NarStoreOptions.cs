using System.Collections.Immutable;

namespace TrustixProxy.Nars.Store;

/// <summary>Configures the NAR store.</summary>
/// <param name="Directory">An existing directory, writable by this user alone.</param>
/// <param name="MaxSize">Maximum total size of all files in bytes; positive. Files being written come on top.</param>
/// <param name="Pinned">Globs of store path names whose NARs are never evicted.</param>
public sealed record NarStoreOptions(string Directory, long MaxSize, ImmutableArray<string> Pinned)
{
    /// <summary>The store that the NARs' paths are in.</summary>
    public Nix.Store Store { get; init; } = Nix.Store.Nix;

    /// <summary>The bucket in which replicas share verified NARs; null for none.</summary>
    public SharedNarsOptions? Shared { get; init; }
}
