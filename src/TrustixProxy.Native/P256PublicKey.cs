using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Math;

namespace TrustixProxy.Native;

/// <summary>A public key of ECDSA over NIST P-256 (FIPS 186-5). Thread-safe.</summary>
public sealed class P256PublicKey
{
    /// <summary>Length of a public key, in bytes: 4, then the coordinates x and y.</summary>
    public const int Size = 65;

    internal static readonly ECDomainParameters Domain = new(CustomNamedCurves.GetByName("P-256"));

    private readonly ECPublicKeyParameters _key;

    private P256PublicKey(ECPublicKeyParameters key) => _key = key;

    /// <summary>Imports 65 bytes; refuses another form, and what is not on the curve.</summary>
    public static bool TryImport(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out P256PublicKey? key)
    {
        key = null;
        if (bytes.Length is not Size || bytes[0] is not 4)
        {
            return false;
        }

        var (x, y) = (new BigInteger(1, bytes[1..33]), new BigInteger(1, bytes[33..]));
        if (Domain.Curve.IsValidFieldElement(x) && Domain.Curve.IsValidFieldElement(y)
            && Domain.Curve.CreatePoint(x, y) is var point && point.IsValid())
        {
            key = new P256PublicKey(new ECPublicKeyParameters(point, Domain));
        }

        return key is not null;
    }

    /// <summary>Whether the pair <paramref name="r"/>, <paramref name="s"/> is this key's signature of a SHA-256 hash.</summary>
    /// <param name="hash">The hash: 32 bytes.</param>
    /// <param name="r">A number, most significant byte first.</param>
    /// <param name="s">A number, most significant byte first.</param>
    public bool Verify(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> r, ReadOnlySpan<byte> s)
    {
        if (hash.Length is not Sha256.Size || r.Length is 0 or > 33 || s.Length is 0 or > 33)
        {
            return false;
        }

        var signer = new ECDsaSigner();
        signer.Init(forSigning: false, _key);
        return signer.VerifySignature(hash.ToArray(), new BigInteger(1, r), new BigInteger(1, s));
    }
}
