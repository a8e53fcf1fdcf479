using Org.BouncyCastle.Math;
using Org.BouncyCastle.Math.EC;

namespace TrustixProxy.Native;

/// <summary>A public key of ECDSA over the group of the curve Ed25519, which GNU Guix calls <c>Ed25519</c>. It is not EdDSA. Thread-safe.
/// </summary>
/// <remarks>libgcrypt defines the scheme: a signature's <c>r</c> is the x coordinate of the twisted Edwards form. The group arithmetic is
/// BouncyCastle's, on the Weierstrass form of the same curve; this class only maps points between the two forms.
/// Source of the maps: RFC 7748, section 4.1, and u + A/3 from Montgomery to Weierstrass.</remarks>
public sealed class Ed25519EcdsaKey
{
    /// <summary>Length of a public key, in bytes: the point as RFC 8032 writes it.</summary>
    public const int Size = 32;

    /// <summary>2^255 - 19, the field's size.</summary>
    private static readonly BigInteger P = BigInteger.Two.Pow(255).Subtract(BigInteger.ValueOf(19));

    /// <summary>The order of the group, a prime; the curve has eight times as many points.</summary>
    private static readonly BigInteger Order = BigInteger.Two.Pow(252).Add(new BigInteger("27742317777372353535851937790883648493"));

    /// <summary>The Weierstrass form: a = (3 - A²)/3, b = (2A³ - 9A)/27.</summary>
    private static readonly ECCurve Curve = new FpCurve(
        P,
        new BigInteger("2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa984914a144", 16),
        new BigInteger("7b425ed097b425ed097b425ed097b425ed097b425ed097b4260b5e9c7710c864", 16),
        Order,
        BigInteger.ValueOf(8));

    /// <summary>The Edwards curve's d = -121665/121666.</summary>
    private static readonly ECFieldElement D = Field(121665).Negate().Divide(Field(121666));

    /// <summary>A/3 of the Montgomery form, where A = 486662.</summary>
    private static readonly ECFieldElement Shift = Field(486662).Divide(Field(3));

    /// <summary>sqrt(-(A + 2)); either root maps the group to itself.</summary>
    private static readonly ECFieldElement Scale = Field(486664).Negate().Sqrt();

    private static readonly ECPoint Base = ToWeierstrass(Field(4).Divide(Field(5)), isOdd: false)!;

    private readonly ECPoint _point;

    private Ed25519EcdsaKey(ECPoint point) => _point = point;

    /// <summary>Imports 32 bytes. Refuses another length, y of at least p, what is not on the curve, and a point outside the group of
    /// prime order.</summary>
    public static bool TryImport(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Ed25519EcdsaKey? key)
    {
        key = null;
        if (bytes.Length is not Size)
        {
            return false;
        }

        var y = bytes.ToArray();
        y[^1] &= 0x7f;
        var number = new BigInteger(1, y, bigEndian: false);
        var point = Curve.IsValidFieldElement(number) ? ToWeierstrass(Curve.FromBigInteger(number), bytes[^1] > 0x7f) : null;
        key = point is not null && point.IsValid() ? new Ed25519EcdsaKey(point) : null;
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

        var inverse = second.ModInverse(Order);
        var message = new BigInteger(1, hash).ShiftRight((hash.Length * 8) - Order.BitLength);
        var point = ECAlgorithms.SumOfTwoMultiplies(
            Base, message.Multiply(inverse).Mod(Order), _point, first.Multiply(inverse).Mod(Order)).Normalize();
        return !point.IsInfinity && EdwardsX(point).Mod(Order).Equals(first);
    }

    /// <summary>Reads a number from 1 to the group's order minus 1.</summary>
    private static bool TryReadScalar(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out BigInteger? scalar)
    {
        scalar = bytes.Length is > 0 and <= Size + 1 ? new BigInteger(1, bytes) : BigInteger.Zero;
        return scalar.SignValue > 0 && scalar.CompareTo(Order) < 0;
    }

    /// <summary>Maps the point of the Edwards curve with this y; null when there is none, or when x is 0.</summary>
    private static ECPoint? ToWeierstrass(ECFieldElement y, bool isOdd)
    {
        var square = y.Square();
        var x = square.Subtract(Field(1)).Divide(D.Multiply(square).AddOne()).Sqrt();
        if (x is null || x.IsZero)
        {
            return null;
        }

        x = x.TestBitZero() == isOdd ? x : x.Negate();
        var u = y.AddOne().Divide(Field(1).Subtract(y));
        return Curve.CreatePoint(u.Add(Shift).ToBigInteger(), Scale.Multiply(u).Divide(x).ToBigInteger());
    }

    /// <summary>The x coordinate that a point has on the Edwards curve.</summary>
    private static BigInteger EdwardsX(ECPoint point) =>
        Scale.Multiply(point.AffineXCoord.Subtract(Shift)).Divide(point.AffineYCoord).ToBigInteger();

    private static ECFieldElement Field(int number) => Curve.FromBigInteger(BigInteger.ValueOf(number));
}
