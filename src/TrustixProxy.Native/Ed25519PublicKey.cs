using NSec.Cryptography;

namespace TrustixProxy.Native;

/// <summary>Why bytes are no public key.</summary>
public enum Ed25519KeyError
{
    /// <summary>They are one.</summary>
    None,

    /// <summary>There are not 32 bytes.</summary>
    Size,

    /// <summary>The key is all zero, of small order, or not canonical (y is at least p = 2^255 - 19).</summary>
    Weak,
}

/// <summary>An Ed25519 public key (RFC 8032), imported once and ready to verify. Several threads may use it at once.</summary>
/// <remarks>NSec verifies with libsodium, as Nix does. Against OpenSSL, which came before it, one kind of signature is refused in addition:
/// one whose R is of small order. Only the owner of a key can make it.</remarks>
public sealed class Ed25519PublicKey : IEquatable<Ed25519PublicKey>
{
    /// <summary>Length of a public key, in bytes.</summary>
    public const int Size = 32;

    /// <summary>Length of a signature, in bytes.</summary>
    public const int SignatureSize = 64;

    /// <summary>The y of every point whose order divides 8, without the sign of x, least byte first.</summary>
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

    /// <summary>Imports 32 bytes, unless anyone could sign for that key or it has a second encoding.</summary>
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

    /// <summary>Whether this key made <paramref name="signature"/> of <paramref name="message"/>. A signature of any other length is
    /// false.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        signature.Length is SignatureSize && SignatureAlgorithm.Ed25519.Verify(_key, message, signature);

    /// <inheritdoc/>
    public bool Equals(Ed25519PublicKey? other) => other is not null && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Ed25519PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>The key in base 64.</summary>
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
