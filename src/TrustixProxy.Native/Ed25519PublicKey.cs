using NSec.Cryptography;

namespace TrustixProxy.Native;

/// <summary>Why bytes are not a public key.</summary>
public enum Ed25519KeyError
{
    /// <summary>The bytes are a valid key.</summary>
    None,

    /// <summary>The length is not 32 bytes.</summary>
    Size,

    /// <summary>The key is all zero, of small order, or not canonical (y is at least p = 2^255 - 19).</summary>
    Weak,
}

/// <summary>An Ed25519 public key (RFC 8032), imported once and ready to verify. Thread-safe.</summary>
/// <remarks>Verifies with libsodium, through NSec, as Nix does. Unlike OpenSSL, it also refuses a signature whose R has small order. Only
/// the key's owner can make one.</remarks>
public sealed class Ed25519PublicKey : IEquatable<Ed25519PublicKey>
{
    /// <summary>Length of a public key, in bytes.</summary>
    public const int Size = 32;

    /// <summary>Length of a signature, in bytes.</summary>
    public const int SignatureSize = 64;

    /// <summary>The y coordinates of all points whose order divides 8, without the sign of x, least significant byte first.</summary>
    /// <remarks>Anyone can sign for such a key. Source: the list of libsodium's <c>ge25519_has_small_order</c>.</remarks>
    private static readonly byte[][] SmallOrder =
    [
        new byte[Size], // y = 0, order 4: all zero
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"), // order 1
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), // order 8
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), // order 8
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // y = p - 1, order 2
    ];

    private readonly PublicKey _key;
    private readonly byte[] _bytes;

    private Ed25519PublicKey(PublicKey key, byte[] bytes) => (_key, _bytes) = (key, bytes);

    /// <summary>The key's 32 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Imports 32 bytes; refuses a key for which anyone can sign, and a second encoding of a key.</summary>
    public static bool TryImport(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Ed25519PublicKey? key, out Ed25519KeyError error)
    {
        key = null;
        error = bytes.Length is not Size ? Ed25519KeyError.Size : IsWeak(bytes) ? Ed25519KeyError.Weak : Ed25519KeyError.None;
        if (error is Ed25519KeyError.None)
        {
            key = new Ed25519PublicKey(PublicKey.Import(SignatureAlgorithm.Ed25519, bytes, KeyBlobFormat.RawPublicKey), bytes.ToArray());
        }

        return key is not null;
    }

    /// <summary>Whether this key made <paramref name="signature"/> over <paramref name="message"/>. False for a signature of any other
    /// length.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        signature.Length is SignatureSize && SignatureAlgorithm.Ed25519.Verify(_key, message, signature);

    /// <inheritdoc/>
    public bool Equals(Ed25519PublicKey? other) => other is not null && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Ed25519PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>Returns the key in base 64.</summary>
    public override string ToString() => Convert.ToBase64String(_bytes);

    private static bool IsWeak(ReadOnlySpan<byte> key)
    {
        Span<byte> y = stackalloc byte[Size];
        key.CopyTo(y);
        y[^1] &= 0x7f;
        if (y[^1] is 0x7f && y[0] >= 0xed && !y[1..^1].ContainsAnyExcept((byte)0xff))
        {
            return true;
        }

        foreach (var point in SmallOrder)
        {
            if (y.SequenceEqual(point))
            {
                return true;
            }
        }

        return false;
    }
}
