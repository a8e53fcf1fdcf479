using System.Collections.Immutable;

namespace TrustixProxy.Nars.Store;

/// <summary>Where verified NARs are kept, and how many.</summary>
/// <param name="Directory">The folder; exists, and is written to by this user alone.</param>
/// <param name="MaxSize">The most bytes that all files have together; positive. What is being written comes on top.</param>
/// <param name="Pinned">Globs of the names of store paths whose NARs make room for nothing.</param>
public sealed record NarStoreOptions(string Directory, long MaxSize, ImmutableArray<string> Pinned);
