using System.Runtime.Intrinsics;
using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog;

/// <summary>A SHA-256 value: 32 bytes. A tree's root or node, a leaf, or the digest of a stored value.</summary>
/// <remarks><c>default</c> is 32 zero bytes: the map's placeholder for an empty subtree, and the root of the empty map.</remarks>
public readonly struct Digest : IEquatable<Digest>
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 32;

    private readonly Vector256<byte> _bytes;

    /// <summary>Creates the digest of these 32 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is not 32 bytes.</exception>
    public Digest(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Size);
        _bytes = Vector256.Create(bytes);
    }

    /// <summary>Computes SHA-256 of <paramref name="data"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[Size];
        Sha256.Hash(data, hash);
        return new Digest(hash);
    }

    /// <summary>Reads a digest; false unless <paramref name="bytes"/> has 32 bytes.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Digest digest)
    {
        digest = bytes.Length is Size ? new Digest(bytes) : default;
        return bytes.Length is Size;
    }

    /// <summary>Whether it is the placeholder, 32 zero bytes.</summary>
    public bool IsPlaceholder => _bytes == Vector256<byte>.Zero;

    /// <summary>Bit <paramref name="depth"/> (0 to 255), most significant first: the direction in the map at that depth, true for
    /// right.</summary>
    public bool Bit(int depth) => (_bytes[depth >> 3] >> (7 - (depth & 7)) & 1) != 0;

    /// <summary>Byte <paramref name="index"/>, 0 to 31.</summary>
    public byte this[int index] => _bytes[index];

    /// <summary>Writes the 32 bytes to the start of <paramref name="destination"/>.</summary>
    public void CopyTo(Span<byte> destination) => _bytes.CopyTo(destination);

    /// <summary>Copies the bytes.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public bool Equals(Digest other) => _bytes == other._bytes;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Digest other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _bytes.AsInt32()[0];

    /// <summary>Returns 64 hexadecimal digits in lower case.</summary>
    public override string ToString() => Convert.ToHexStringLower(ToArray());

    /// <summary>Whether both have the same bytes.</summary>
    public static bool operator ==(Digest left, Digest right) => left.Equals(right);

    /// <summary>Whether any byte differs.</summary>
    public static bool operator !=(Digest left, Digest right) => !left.Equals(right);
}
