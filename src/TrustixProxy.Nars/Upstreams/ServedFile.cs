using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>The file that a server has for a store path: its address below the server's, and its size.</summary>
/// <param name="MaxSize">Maximum size in bytes, decoded.</param>
/// <param name="Address">The relative address for a digest; the name is null where the digest alone makes the address.</param>
public sealed record ServedFile(int MaxSize, Func<StorePathDigest, StorePath?, string> Address)
{
    /// <summary>The store whose form a narinfo has; null for another file.</summary>
    public Nix.Store? NarInfoStore { get; private init; }

    /// <summary>A binary cache's narinfo, in Nix's form.</summary>
    public static ServedFile NarInfo { get; } = Make(Nix.Store.Nix);

    private static ServedFile GuixNarInfo { get; } = Make(Nix.Store.Guix);

    /// <summary>A binary cache's narinfo, in the form of a store.</summary>
    public static ServedFile NarInfoOf(Nix.Store store) => store == Nix.Store.Guix ? GuixNarInfo : NarInfo;

    /// <summary>A proof file: the entry of a witnessed log.</summary>
    /// <param name="suffix">The part of its name after the digest and the dot.</param>
    /// <param name="maxSize">Maximum size of a valid one in bytes.</param>
    public static ServedFile Proof(string suffix, int maxSize) => new(maxSize, (digest, _) => $"{digest}.{suffix}");

    /// <summary>Rebuilders' attestations of one output, as JSON.</summary>
    /// <remarks>Source: lila, route <c>/attestations/by-output/DIGEST-NAME</c>.</remarks>
    public static ServedFile Attestations { get; } =
        new(1 << 20, (_, path) => $"attestations/by-output/{Uri.EscapeDataString($"{path}")}");

    private static ServedFile Make(Nix.Store store) =>
        new(Nix.NarInfo.MaxSize, (digest, _) => $"{digest}.narinfo") { NarInfoStore = store };
}
