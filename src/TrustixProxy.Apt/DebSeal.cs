using TrustixProxy.Consensus;

namespace TrustixProxy.Apt;

/// <summary>Encodes decisions on packages for any store, and decodes them: no store is trusted with a verdict.</summary>
/// <remarks>A version byte, then the bundle, sealed by <see cref="RecordSeal"/> as a kind of its own under the file's name and digest. What
/// is opened is decided again from its links, by the code that decides afresh.</remarks>
/// <param name="seal">Seals the records.</param>
/// <param name="policy">The policy.</param>
public sealed class DebSeal(RecordSeal seal, Policy policy)
{
    private const string Kind = "deb";
    private const byte FormatVersion = 1;

    /// <summary>Encodes and seals a decision.</summary>
    public byte[] Seal(DebBundle bundle) => seal.Seal(Kind, bundle.Verdict.Asked.Text, [FormatVersion, .. bundle.ToBytes()]);

    /// <summary>Opens a decision if we sealed it for this file under this policy. The caller checks its age.</summary>
    public bool TryOpen(AskedDeb asked, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DebBundle? bundle)
    {
        bundle = seal.TryOpen(Kind, asked.Text, bytes, out var body) && body is [FormatVersion, ..]
            && DebBundle.TryVerify(body[1..], policy, out var read, out _) && read.Verdict.Asked == asked ? read : null;
        return bundle is not null;
    }
}
