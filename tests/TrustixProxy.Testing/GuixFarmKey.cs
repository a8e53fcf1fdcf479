using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Testing;

/// <summary>Signs as GNU Guix's farms do: ECDSA over Ed25519's group by plain integers. For tests only: it is not constant-time.</summary>
/// <remarks>A second implementation of the group, so that the program's own is not judged by itself.</remarks>
public sealed class GuixFarmKey
{
    private static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;
    private static readonly BigInteger N = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", null);
    private static readonly BigInteger D = Mod(-121665 * Inverse(121666, P), P);
    private static readonly (BigInteger X, BigInteger Y) G = (
        BigInteger.Parse("15112221349535400772501151409588531511454012693041857206046113283949847762202", null),
        Mod(4 * Inverse(5, P), P));

    private readonly BigInteger _d;
    private readonly string _host;
    private readonly SExpression _public;

    public GuixFarmKey(string host)
    {
        (_host, _d) = (host, (Number(SHA256.HashData(Encoding.ASCII.GetBytes(host))) % (N - 1)) + 1);
        var (x, y) = Multiply(_d, G);
        var q = y.ToByteArray(isUnsigned: true);
        Array.Resize(ref q, 32);
        q[31] |= (byte)(x.IsEven ? 0 : 0x80);
        _public = SExpression.List("public-key", SExpression.List(
            "ecc", SExpression.List("curve", SExpression.Of("Ed25519")), SExpression.List("q", SExpression.Of(q))));
        PublicKey = GuixPublicKey.TryParse(_public.ToString(), out var key, out var error) ? key
            : throw new InvalidOperationException($"{error}");
    }

    public GuixPublicKey PublicKey { get; }

    /// <summary>The line of the signature of a text.</summary>
    public string Sign(string head)
    {
        var hash = SHA256.HashData(Encoding.ASCII.GetBytes(head));
        var (z, k) = (Number(hash) >> 3, (Number(SHA256.HashData([.. hash, 1])) % (N - 1)) + 1);
        var r = Multiply(k, G).X % N;
        var s = Mod(Inverse(k, N) * (z + (_d * r)), N);
        var made = SExpression.List(
            "signature",
            SExpression.List("data", SExpression.List("flags", SExpression.Of("rfc6979")),
                SExpression.List("hash", SExpression.Of("sha256"), SExpression.Of(hash))),
            SExpression.List("sig-val", SExpression.List(
                "ecdsa", SExpression.List("r", SExpression.Of(Bytes(r))), SExpression.List("s", SExpression.Of(Bytes(s))))),
            _public);
        return $"Signature: 1;{_host};{Convert.ToBase64String(Encoding.ASCII.GetBytes(made.ToLines()))}\n";
    }

    private static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true, isBigEndian: true);

    private static byte[] Bytes(BigInteger number) => number.ToByteArray(isUnsigned: true, isBigEndian: true);

    private static BigInteger Mod(BigInteger number, BigInteger modulus) => ((number % modulus) + modulus) % modulus;

    private static BigInteger Inverse(BigInteger number, BigInteger modulus) => BigInteger.ModPow(number, modulus - 2, modulus);

    private static (BigInteger X, BigInteger Y) Multiply(BigInteger times, (BigInteger X, BigInteger Y) point)
    {
        (BigInteger X, BigInteger Y, BigInteger Z) sum = (0, 1, 1), power = (point.X, point.Y, 1);
        for (; times > 0; times >>= 1)
        {
            sum = times.IsEven ? sum : Add(sum, power);
            power = Add(power, power);
        }

        return (Mod(sum.X * Inverse(sum.Z, P), P), Mod(sum.Y * Inverse(sum.Z, P), P));
    }

    /// <summary>Adds points of -x² + y² = 1 + d x² y² in projective coordinates; right for all points.</summary>
    private static (BigInteger X, BigInteger Y, BigInteger Z) Add(
        (BigInteger X, BigInteger Y, BigInteger Z) one, (BigInteger X, BigInteger Y, BigInteger Z) two)
    {
        var (z, x, y) = (one.Z * two.Z % P, one.X * two.X % P, one.Y * two.Y % P);
        var (square, cross) = (z * z % P, D * x * y % P);
        var (below, above) = (Mod(square - cross, P), (square + cross) % P);
        var mixed = Mod(((one.X + one.Y) * (two.X + two.Y)) - x - y, P);
        return (z * below % P * mixed % P, z * above % P * (x + y) % P, below * above % P);
    }
}
