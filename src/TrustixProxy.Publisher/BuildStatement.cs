using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>What a builder says of one output: what a log is given to hold.</summary>
/// <param name="NarHash">SHA-256 of its NAR.</param>
/// <param name="NarSize">Length of its NAR, in bytes.</param>
/// <param name="References">What it refers to, itself perhaps among them.</param>
public sealed record BuildStatement(StorePath Path, NixHash NarHash, long NarSize, IReadOnlyList<StorePath> References)
{
    /// <summary>The entry's key: the absolute path.</summary>
    public byte[] Key => Encoding.ASCII.GetBytes(Path.Absolute);

    /// <summary>The entry's value, byte for byte what the reference's post-build hook writes for the same output.</summary>
    public byte[] Value => StatementText.Format(Path, NarHash, NarSize, References);
}
