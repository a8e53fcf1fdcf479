using System.Security.Cryptography;

namespace TrustixProxy.Native;

/// <summary>Ed25519 signatures (RFC 8032), by OpenSSL's libcrypto.</summary>
/// <remarks>NSec.Cryptography can take this file's place: it is the only one that knows where Ed25519 comes from.</remarks>
public static class Ed25519
{
    /// <summary>Length of a public key, in bytes.</summary>
    public const int PublicKeySize = 32;

    /// <summary>Length of a private key's seed, in bytes.</summary>
    public const int SeedSize = 32;

    /// <summary>Length of a signature, in bytes.</summary>
    public const int SignatureSize = 64;

    /// <summary>Whether <paramref name="signature"/> is a valid signature of <paramref name="message"/>. Foreign input of any length is answered, never thrown at.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (publicKey.Length != PublicKeySize || signature.Length != SignatureSize)
        {
            return false;
        }

        var key = LibCrypto.NewRawPublicKey(LibCrypto.Ed25519, 0, publicKey, PublicKeySize);
        var context = LibCrypto.NewContext();
        try
        {
            return key is not 0 && context is not 0
                && LibCrypto.VerifyInit(context, 0, 0, 0, key) == 1
                && LibCrypto.Verify(context, signature, SignatureSize, message, (nuint)message.Length) == 1;
        }
        finally
        {
            LibCrypto.FreeContext(context);
            LibCrypto.FreeKey(key);
            LibCrypto.ClearErrors();
        }
    }

    /// <summary>Signs <paramref name="message"/>. The same seed and message always give the same signature.</summary>
    /// <param name="seed">32 bytes: the first half of Nix's and Go's 64-byte private keys.</param>
    /// <param name="message">What to sign.</param>
    /// <param name="signature">64 bytes that receive the signature.</param>
    public static void Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(signature.Length, SignatureSize);
        var key = PrivateKey(seed);
        var context = LibCrypto.NewContext();
        try
        {
            nuint length = SignatureSize;
            if (LibCrypto.SignInit(context, 0, 0, 0, key) != 1
                || LibCrypto.Sign(context, signature, ref length, message, (nuint)message.Length) != 1)
            {
                throw new CryptographicException("libcrypto could not make an Ed25519 signature.");
            }
        }
        finally
        {
            LibCrypto.FreeContext(context);
            LibCrypto.FreeKey(key);
        }
    }

    /// <summary>Writes the public key of <paramref name="seed"/> to <paramref name="publicKey"/> (32 bytes).</summary>
    public static void DerivePublicKey(ReadOnlySpan<byte> seed, Span<byte> publicKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, PublicKeySize);
        var key = PrivateKey(seed);
        nuint length = PublicKeySize;
        var done = LibCrypto.GetRawPublicKey(key, publicKey, ref length);
        LibCrypto.FreeKey(key);
        if (done != 1)
        {
            throw new CryptographicException("libcrypto could not derive an Ed25519 public key.");
        }
    }

    private static nint PrivateKey(ReadOnlySpan<byte> seed)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, SeedSize);
        var key = LibCrypto.NewRawPrivateKey(LibCrypto.Ed25519, 0, seed, SeedSize);
        return key is not 0 ? key : throw new CryptographicException("libcrypto refused an Ed25519 seed.");
    }
}
