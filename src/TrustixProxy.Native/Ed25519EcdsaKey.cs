using System.Numerics;

namespace TrustixProxy.Native;

/// <summary>A public key of ECDSA over the group of the curve Ed25519, which GNU Guix calls <c>Ed25519</c>. It is not EdDSA. Thread-safe.
/// </summary>
/// <remarks>libgcrypt defines the scheme: a signature's <c>r</c> is the x coordinate of the twisted Edwards form. The group arithmetic is
/// libcrypto's, on the Weierstrass form of the same curve; this class only maps points between the two forms. BouncyCastle's generic
/// curves take 3 ms for a verification, where libcrypto takes less than one.
/// Source of the maps: RFC 7748, section 4.1, and u + A/3 from Montgomery to Weierstrass.</remarks>
public sealed class Ed25519EcdsaKey
{
    /// <summary>Length of a public key, in bytes: the point as RFC 8032 writes it.</summary>
    public const int Size = 32;

    /// <summary>2^255 - 19, the field's size.</summary>
    private static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;

    /// <summary>The order of the group, a prime; the curve has eight times as many points.</summary>
    private static readonly BigInteger Order = BigInteger.Pow(2, 252) + (new BigInteger(0x14def9dea2f79cd6) << 64) + 0x5812631a5cf5d3ed;

    /// <summary>The Edwards curve's d = -121665/121666.</summary>
    private static readonly BigInteger D = Mod(-121665 * Inverse(121666));

    /// <summary>A/3 of the Montgomery form, where A = 486662.</summary>
    private static readonly BigInteger Shift = Mod(486662 * Inverse(3));

    /// <summary>sqrt(-(A + 2)); either root maps the group to itself.</summary>
    private static readonly BigInteger Scale = SquareRoot(P - 486664)!.Value;

    private static readonly (byte[] X, byte[] Y) Generator = ToWeierstrass(Mod(4 * Inverse(5)), isOdd: false)!.Value;
    private static readonly Ed25519Group? Known = Ed25519Group.Create(Generator.X, Generator.Y);

    private readonly byte[] _x, _y;

    private Ed25519EcdsaKey((byte[] X, byte[] Y) point) => (_x, _y) = point;

    /// <summary>Whether the machine's libcrypto has the curve; without it no key can be imported.</summary>
    public static bool IsSupported => Known is not null;

    private static Ed25519Group Group => Known!; // there is no key without it

    /// <summary>Imports 32 bytes. Refuses another length, y of at least p, what is not on the curve, and a point outside the group of
    /// prime order; all keys when the curve is not supported.</summary>
    public static bool TryImport(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Ed25519EcdsaKey? key)
    {
        key = null;
        if (bytes.Length is not Size || !IsSupported)
        {
            return false;
        }

        var encoded = bytes.ToArray();
        encoded[^1] &= 0x7f;
        var y = new BigInteger(encoded, isUnsigned: true);
        key = y < P && ToWeierstrass(y, bytes[^1] > 0x7f) is { } point && Group.Has(point.X, point.Y)
            ? new Ed25519EcdsaKey(point) : null;
        return key is not null;
    }

    /// <summary>Whether the pair <paramref name="r"/>, <paramref name="s"/> is this key's signature of a SHA-256 hash.</summary>
    /// <param name="hash">The hash: 32 bytes.</param>
    /// <param name="r">A number, most significant byte first.</param>
    /// <param name="s">A number, most significant byte first.</param>
    public bool Verify(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> r, ReadOnlySpan<byte> s)
    {
        if (hash.Length is not Sha256.Size || !TryReadScalar(r, out var first) || !TryReadScalar(s, out var second))
        {
            return false;
        }

        const int surplus = 3; // bits that the hash has more than the order
        var inverse = BigInteger.ModPow(second, Order - 2, Order);
        var message = new BigInteger(hash, isUnsigned: true, isBigEndian: true) >> surplus;
        Span<byte> sum = stackalloc byte[2 * Size];
        return Group.TryCombine(BytesOf(message * inverse % Order), BytesOf(first * inverse % Order), _x, _y, sum)
            && EdwardsX(sum[..Size], sum[Size..]) % Order == first;
    }

    /// <summary>Reads a number from 1 to the group's order minus 1.</summary>
    private static bool TryReadScalar(ReadOnlySpan<byte> bytes, out BigInteger scalar)
    {
        scalar = bytes.Length is > 0 and <= Size + 1 ? new BigInteger(bytes, isUnsigned: true, isBigEndian: true) : BigInteger.Zero;
        return scalar > 0 && scalar < Order;
    }

    /// <summary>Maps the point of the Edwards curve with this y; null when there is none, or when x is 0.</summary>
    private static (byte[] X, byte[] Y)? ToWeierstrass(BigInteger y, bool isOdd)
    {
        var square = y * y % P;
        if (SquareRoot(Mod((square - 1) * Inverse(Mod((D * square) + 1)))) is not { IsZero: false } root)
        {
            return null;
        }

        var x = root.IsEven == isOdd ? P - root : root;
        var u = Mod((1 + y) * Inverse(Mod(1 - y)));
        return (BytesOf(Mod(u + Shift)), BytesOf(Mod(Scale * u * Inverse(x))));
    }

    /// <summary>The x coordinate that a point has on the Edwards curve.</summary>
    private static BigInteger EdwardsX(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y) =>
        Mod(Scale * (new BigInteger(x, isUnsigned: true, isBigEndian: true) - Shift)
            * Inverse(new BigInteger(y, isUnsigned: true, isBigEndian: true)));

    /// <summary>A square root; null when there is none.</summary>
    private static BigInteger? SquareRoot(BigInteger number)
    {
        var root = BigInteger.ModPow(number, (P + 3) / 8, P);
        root = root * root % P == number ? root : root * BigInteger.ModPow(2, (P - 1) / 4, P) % P;
        return root * root % P == number ? root : null;
    }

    private static BigInteger Inverse(BigInteger number) => BigInteger.ModPow(number, P - 2, P);

    private static BigInteger Mod(BigInteger number) => ((number % P) + P) % P;

    private static byte[] BytesOf(BigInteger number)
    {
        var bytes = new byte[Size];
        number.TryWriteBytes(bytes.AsSpan(Size - number.GetByteCount(isUnsigned: true)), out _, isUnsigned: true, isBigEndian: true);
        return bytes;
    }
}
