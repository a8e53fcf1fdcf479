using System.Security.Cryptography;

namespace TrustixProxy.Native;

/// <summary>An RSA public key that verifies PKCS #1 v1.5 signatures. Thread-safe.</summary>
public sealed class RsaPublicKey
{
    private const int MinBits = 2048, MaxBits = 8192;

    private readonly RSAParameters _parameters;

    private RsaPublicKey(RSAParameters parameters) => _parameters = parameters;

    /// <summary>Imports a modulus of 2048 to 8192 bits and an odd exponent from 3 to 2^32 - 1.</summary>
    /// <param name="modulus">A number, most significant byte first.</param>
    /// <param name="exponent">A number, most significant byte first.</param>
    /// <param name="key">The key.</param>
    public static bool TryImport(ReadOnlySpan<byte> modulus, ReadOnlySpan<byte> exponent, [NotNullWhen(true)] out RsaPublicKey? key)
    {
        var n = modulus.TrimStart((byte)0);
        var e = exponent.TrimStart((byte)0);
        var isSized = n.Length is >= MinBits / 8 and <= MaxBits / 8 && (n.Length > MinBits / 8 || n[0] > 0x7f) && e.Length is > 0 and <= 4;
        var isOdd = isSized && (n[^1] & 1) is 1 && (e[^1] & 1) is 1 && !(e.Length is 1 && e[0] is 1);
        key = isOdd ? new RsaPublicKey(new RSAParameters { Modulus = n.ToArray(), Exponent = e.ToArray() }) : null;
        return key is not null;
    }

    /// <summary>Whether a number, most significant byte first, is this key's signature of a SHA-256 hash.</summary>
    public bool Verify(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> signature)
    {
        var size = _parameters.Modulus!.Length;
        var value = signature.TrimStart((byte)0);
        if (hash.Length is not Sha256.Size || value.Length is 0 || value.Length > size)
        {
            return false;
        }

        var padded = new byte[size];
        value.CopyTo(padded.AsSpan(size - value.Length));
        using var rsa = RSA.Create(_parameters);
        return rsa.VerifyHash(hash, padded, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
    }
}
