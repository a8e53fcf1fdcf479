using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>The range of a file's bytes sent to the client.</summary>
/// <param name="Start">Offset of the first byte.</param>
/// <param name="End">Offset after the last byte.</param>
public readonly record struct ByteRange(long Start, long End)
{
    public static ByteRange All { get; } = new(0, long.MaxValue);
}

/// <summary>A file once verified to hold the agreed NAR.</summary>
/// <param name="Size">Length in bytes.</param>
public sealed record KnownFile(NixHash Hash, long Size);
