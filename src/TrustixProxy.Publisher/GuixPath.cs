using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>A row of <c>ValidPaths</c> in the database of Guix's daemon.</summary>
/// <param name="Id">Grows with each registration; a path that is collected and registered again gets another.</param>
/// <param name="NarHash">SHA-256 of its NAR.</param>
/// <param name="RegisteredAt">When it became valid, to the second.</param>
/// <param name="Deriver">The derivation it was built from; null for sources and derivations.</param>
/// <param name="NarSize">Length of its NAR in bytes.</param>
/// <remarks>Source: guix <c>nix/libstore/schema.sql</c>.</remarks>
internal sealed record GuixPath(
    long Id, StorePath Path, NixHash NarHash, DateTimeOffset RegisteredAt, StorePath? Deriver, long NarSize);
