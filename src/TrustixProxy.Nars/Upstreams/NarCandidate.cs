using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>An upstream that claims to have the agreed NAR, and how its file would answer a request.</summary>
/// <param name="Upstream">Which.</param>
/// <param name="NarInfo">Its narinfo of the path.</param>
/// <param name="Address">The file's address.</param>
/// <param name="Decompress">Whether to decompress the file while sending: the request is for the bare NAR, and the file is
/// compressed.</param>
/// <param name="IsSameFile">Whether it claims the exact bytes that the request's URL names.</param>
public sealed record NarCandidate(Upstream Upstream, NarInfo NarInfo, Uri Address, bool Decompress, bool IsSameFile)
{
    /// <summary>The compression of the bytes sent to the client.</summary>
    public string ServedCompression => Decompress ? NarCompression.None : NarInfo.Compression;

    /// <summary>Returns the candidate for these bytes from an upstream's narinfo; null when it cannot answer.</summary>
    /// <param name="narHash">The agreed NAR hash.</param>
    /// <param name="compression">The compression that the URL names.</param>
    /// <param name="fileHash">The file hash that the URL names.</param>
    /// <param name="badNars">Remembers which upstreams gave bad NARs.</param>
    public static NarCandidate? Of(
        Upstream upstream, NarInfo narInfo, NixHash narHash, string compression, NixHash fileHash, BadNarMemory badNars)
    {
        var decompress = compression is NarCompression.None && narInfo.Compression is not NarCompression.None;
        if (narInfo.NarHash != narHash
            || (narInfo.Compression != compression && !decompress)
            || !NarCompression.IsDecodable(narInfo.Compression)
            || upstream.AddressOf(narInfo) is not { } address)
        {
            return null;
        }

        var isSameFile = compression is NarCompression.None
            || (narInfo.FileHash == fileHash && !badNars.HasOtherFile(upstream, narInfo.StorePath.Digest));
        return new NarCandidate(upstream, narInfo, address, decompress, isSameFile);
    }
}
