using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>A builder's statement about one output: the entry submitted to a log.</summary>
/// <param name="NarHash">SHA-256 of its NAR.</param>
/// <param name="NarSize">Length of its NAR in bytes.</param>
/// <param name="References">The paths it references, possibly itself.</param>
public sealed record BuildStatement(StorePath Path, NixHash NarHash, long NarSize, IReadOnlyList<StorePath> References)
{
    /// <summary>The entry's key: the absolute path.</summary>
    public byte[] Key => Encoding.ASCII.GetBytes(Path.Absolute);

    /// <summary>The entry's value, byte for byte as the reference's post-build hook writes it for the same output.</summary>
    public byte[] Value => StatementText.Format(Path, NarHash, NarSize, References);
}
