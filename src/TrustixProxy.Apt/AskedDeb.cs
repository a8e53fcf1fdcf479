using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt;

/// <summary>The question to decide: does this file have this content? It comes from an index or a client, and is not trusted.</summary>
/// <param name="File">The package's file.</param>
/// <param name="Sha256">SHA-256 of the file.</param>
public sealed record AskedDeb(DebFile File, Digest Sha256)
{
    /// <summary>The file's name and digest in one line.</summary>
    public string Text => $"{File} sha256:{Sha256}";

    /// <summary>Whether a claim says just this.</summary>
    public bool IsClaimedBy(DebClaim? claim) => claim?.Text == Text;
}
