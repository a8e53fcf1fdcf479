namespace TrustixProxy.Native;

/// <summary>Ed25519 signatures (RFC 8032), by OpenSSL's libcrypto.</summary>
/// <remarks>NSec.Cryptography can take this class's place and that of <see cref="Ed25519SigningKey"/>: they are the only ones that know where Ed25519 comes from.</remarks>
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

        using var key = LibCrypto.NewRawPublicKey(LibCrypto.Ed25519, 0, publicKey, PublicKeySize);
        using var context = LibCrypto.NewContext();
        try
        {
            return !key.IsInvalid && !context.IsInvalid
                && LibCrypto.VerifyInit(context, 0, 0, 0, key) == 1
                && LibCrypto.Verify(context, signature, SignatureSize, message, (nuint)message.Length) == 1;
        }
        finally
        {
            LibCrypto.ClearErrors();
        }
    }
}
