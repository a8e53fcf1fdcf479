using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>The file that a server has for a store path: its address below the server's, and its size.</summary>
/// <param name="MaxSize">Maximum size in bytes, decoded.</param>
/// <param name="Address">The relative address for a digest; the name is null where the digest alone makes the address.</param>
public sealed record ServedFile(int MaxSize, Func<StorePathDigest, StorePath?, string> Address)
{
    /// <summary>A binary cache's narinfo.</summary>
    public static ServedFile NarInfo { get; } = new(Nix.NarInfo.MaxSize, (digest, _) => $"{digest}.narinfo");

    /// <summary>A proof file: the entry of a witnessed log.</summary>
    /// <param name="suffix">The part of its name after the digest and the dot.</param>
    /// <param name="maxSize">Maximum size of a valid one in bytes.</param>
    public static ServedFile Proof(string suffix, int maxSize) => new(maxSize, (digest, _) => $"{digest}.{suffix}");

    /// <summary>Rebuilders' attestations of one output, as JSON.</summary>
    /// <remarks>Source: lila, route <c>/attestations/by-output/DIGEST-NAME</c>.</remarks>
    public static ServedFile Attestations { get; } =
        new(1 << 20, (_, path) => $"attestations/by-output/{Uri.EscapeDataString($"{path}")}");
}
