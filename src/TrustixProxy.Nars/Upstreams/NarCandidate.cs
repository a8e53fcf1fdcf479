using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>An upstream that says it has the agreed NAR, and how its file would answer a request.</summary>
/// <param name="Upstream">Which.</param>
/// <param name="NarInfo">What it says of the path.</param>
/// <param name="Address">Where its file is.</param>
/// <param name="Decompress">Whether the file is decompressed on the way: the request is for the bare NAR, and the file is not.</param>
/// <param name="IsSameFile">Whether it says it has the very bytes that the request's URL names.</param>
public sealed record NarCandidate(Upstream Upstream, NarInfo NarInfo, Uri Address, bool Decompress, bool IsSameFile)
{
    /// <summary>How the bytes that go to the client are compressed.</summary>
    public string ServedCompression => Decompress ? NarCompression.None : NarInfo.Compression;

    /// <summary>The candidate that an upstream's narinfo makes for these bytes; null when it cannot answer.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="narInfo">Its narinfo.</param>
    /// <param name="narHash">The agreed NAR hash.</param>
    /// <param name="compression">The compression that the request's URL names.</param>
    /// <param name="fileHash">The file hash that it names.</param>
    /// <param name="marks">What is remembered of upstreams.</param>
    public static NarCandidate? Of(
        Upstream upstream, NarInfo narInfo, NixHash narHash, string compression, NixHash fileHash, BadNarMemory marks)
    {
        var decompress = compression is NarCompression.None && narInfo.Compression is not NarCompression.None;
        if (narInfo.NarHash != narHash
            || (narInfo.Compression != compression && !decompress)
            || upstream.AddressOf(narInfo) is not { } address)
        {
            return null;
        }

        var isSameFile = compression is NarCompression.None
            || (narInfo.FileHash == fileHash && !marks.HasOtherFile(upstream, narInfo.StorePath.Digest));
        return new NarCandidate(upstream, narInfo, address, decompress, isSameFile);
    }
}
