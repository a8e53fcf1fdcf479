using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt;

/// <summary>What a rebuilder says that a build gives: a file of this name has this content. Equality is the vote.</summary>
/// <remarks>Only <see cref="RebuildLink.TryVerify"/> makes one, from a signature.</remarks>
public sealed record DebClaim
{
    internal DebClaim(string fileName, Digest sha256) => (FileName, Sha256) = (fileName, sha256);

    /// <summary>The file's name, such as <c>hello_2.10-3_amd64.deb</c>.</summary>
    public string FileName { get; }

    /// <summary>SHA-256 of the file.</summary>
    public Digest Sha256 { get; }

    /// <summary>The name and the digest in one line.</summary>
    public string Text => $"{FileName} sha256:{Sha256}";
}
