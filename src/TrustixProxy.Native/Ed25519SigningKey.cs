using System.Security.Cryptography;

namespace TrustixProxy.Native;

/// <summary>An Ed25519 private key, ready to sign: deriving it from its seed takes as long as a signature does. May be used by several threads at once.</summary>
/// <remarks>It lives in libcrypto's memory, and is overwritten there when nobody holds this object any more.</remarks>
public sealed class Ed25519SigningKey
{
    private readonly LibCrypto.KeyHandle _key;

    /// <summary>The key with this seed.</summary>
    /// <param name="seed">32 bytes: the first half of Nix's and Go's 64-byte private keys.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not 32 bytes.</exception>
    public Ed25519SigningKey(ReadOnlySpan<byte> seed)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, Ed25519.SeedSize);
        _key = LibCrypto.NewRawPrivateKey(LibCrypto.Ed25519, 0, seed, Ed25519.SeedSize);
        nuint length = Ed25519.PublicKeySize;
        if (_key.IsInvalid || LibCrypto.GetRawPublicKey(_key, PublicKey, ref length) is not 1)
        {
            throw new CryptographicException("libcrypto refused an Ed25519 seed.");
        }
    }

    /// <summary>The public key, 32 bytes.</summary>
    public byte[] PublicKey { get; } = new byte[Ed25519.PublicKeySize];

    /// <summary>Signs a message: 64 bytes, the same ones each time (RFC 8032).</summary>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        var signature = new byte[Ed25519.SignatureSize];
        using var context = LibCrypto.NewContext();
        nuint length = Ed25519.SignatureSize;
        return !context.IsInvalid
            && LibCrypto.SignInit(context, 0, 0, 0, _key) is 1
            && LibCrypto.Sign(context, signature, ref length, message, (nuint)message.Length) is 1
            ? signature
            : throw new CryptographicException("libcrypto could not make an Ed25519 signature.");
    }
}
