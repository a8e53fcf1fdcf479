using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>Which bytes of a file go to the client.</summary>
/// <param name="Start">The first, from 0.</param>
/// <param name="End">The one after the last.</param>
public readonly record struct ByteRange(long Start, long End)
{
    public static ByteRange All { get; } = new(0, long.MaxValue);
}

/// <summary>A file that was once seen to hold the agreed NAR.</summary>
/// <param name="Hash">Its SHA-256.</param>
/// <param name="Size">Its length in bytes.</param>
public sealed record KnownFile(NixHash Hash, long Size);
