using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Math;

namespace TrustixProxy.Native;

/// <summary>A private key of ECDSA over NIST P-256. Thread-safe.</summary>
/// <remarks>Signatures are deterministic (RFC 6979 with SHA-256), so that replicas with one key write the same bytes.</remarks>
public sealed class P256SigningKey
{
    /// <summary>Length of the secret that a key is made from, in bytes: 128 bits more than the key has, so that it is not biased.</summary>
    public const int SecretSize = 48;

    private readonly ECPrivateKeyParameters _key;
    private readonly byte[] _point;

    /// <summary>Creates the key whose scalar is the secret modulo n - 1, plus 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="secret"/> is not 48 bytes.</exception>
    /// <remarks>Source: FIPS 186-5, appendix A.2.1.</remarks>
    public P256SigningKey(ReadOnlySpan<byte> secret)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secret.Length, SecretSize);
        var domain = P256PublicKey.Domain;
        var scalar = new BigInteger(1, secret).Mod(domain.N.Subtract(BigInteger.One)).Add(BigInteger.One);
        _key = new ECPrivateKeyParameters(scalar, domain);
        _point = domain.G.Multiply(scalar).Normalize().GetEncoded(compressed: false);
    }

    /// <summary>The public key: 4, then the coordinates x and y.</summary>
    public ReadOnlySpan<byte> PublicKey => _point;

    /// <summary>Signs a SHA-256 hash; returns two numbers, most significant byte first, without leading zero bytes.</summary>
    public (byte[] R, byte[] S) Sign(ReadOnlySpan<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(hash.Length, Sha256.Size);
        var signer = new ECDsaSigner(new HMacDsaKCalculator(new Sha256Digest()));
        signer.Init(forSigning: true, _key);
        var pair = signer.GenerateSignature(hash.ToArray());
        return (pair[0].ToByteArrayUnsigned(), pair[1].ToByteArrayUnsigned());
    }
}
