using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>The group of the curve Ed25519 in its Weierstrass form, as a generic group of libcrypto (<c>openssl/ec.h</c>). Its time
/// depends on the numbers: for public data only. Thread-safe.</summary>
/// <remarks>Numbers are 32 bytes, most significant byte first.</remarks>
internal sealed partial class Ed25519Group
{
    private const int Size = 32;

    private const string P = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
        A = "2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa984914a144",
        B = "7b425ed097b425ed097b425ed097b425ed097b425ed097b4260b5e9c7710c864",
        Order = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";

    private readonly nint _group; // lives as long as the program

    static Ed25519Group() => NativeLibraries.Register();

    private Ed25519Group(nint group) => _group = group;

    /// <summary>Creates the group with the coordinates of its generator; null when the machine's libcrypto refuses the curve, as one that
    /// knows named curves only may.</summary>
    public static Ed25519Group? Create(ReadOnlySpan<byte> generatorX, ReadOnlySpan<byte> generatorY)
    {
        var (p, a, b, order, cofactor) = (Number(P), Number(A), Number(B), Number(Order), Number([8]));
        var created = new Ed25519Group(GroupNew(p, a, b, 0));
        var generator = created._group is 0 ? 0 : created.Point(generatorX, generatorY);
        var isGood = generator is not 0 && SetGenerator(created._group, generator, order, cofactor) is 1;
        PointFree(generator);
        foreach (var number in new[] { p, a, b, order, cofactor })
        {
            BigFree(number);
        }

        return isGood ? created : null;
    }

    /// <summary>Whether a point is on the curve, in the group of prime order, and not the neutral element.</summary>
    public bool Has(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y)
    {
        var (order, point, result) = (Number(Order), Point(x, y), PointNew(_group));
        var isInGroup = point is not 0 && Multiply(_group, result, 0, point, order, 0) is 1
            && IsAtInfinity(_group, result) is 1;
        BigFree(order);
        PointFree(point);
        PointFree(result);
        return isInGroup;
    }

    /// <summary>Computes <paramref name="first"/> times the generator plus <paramref name="second"/> times a point of the group.</summary>
    /// <param name="first">A number.</param>
    /// <param name="second">A number.</param>
    /// <param name="x">The point's x coordinate.</param>
    /// <param name="y">The point's y coordinate.</param>
    /// <param name="sum">The coordinates of the sum: 64 bytes.</param>
    /// <returns>False when the sum is the neutral element.</returns>
    public bool TryCombine(
        ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> x, ReadOnlySpan<byte> y, Span<byte> sum)
    {
        var (one, two, point, result) = (Number(first), Number(second), Point(x, y), PointNew(_group));
        var isDone = point is not 0 && Multiply(_group, result, one, point, two, 0) is 1 && TryWrite(result, sum);
        BigFree(one);
        BigFree(two);
        PointFree(point);
        PointFree(result);
        return isDone;
    }

    private bool TryWrite(nint point, Span<byte> coordinates)
    {
        var (x, y) = (BigNew(), BigNew());
        var isDone = IsAtInfinity(_group, point) is 0 && GetAffine(_group, point, x, y, 0) is 1
            && ToBytes(x, coordinates, Size) is Size && ToBytes(y, coordinates[Size..], Size) is Size;
        BigFree(x);
        BigFree(y);
        return isDone;
    }

    /// <summary>Creates a point; 0 when it is not on the curve.</summary>
    private nint Point(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y)
    {
        var (point, left, right) = (PointNew(_group), Number(x), Number(y));
        var isOnCurve = SetAffine(_group, point, left, right, 0) is 1;
        BigFree(left);
        BigFree(right);
        if (isOnCurve)
        {
            return point;
        }

        PointFree(point);
        return 0;
    }

    private static nint Number(string digits) => Number(Convert.FromHexString(digits));

    private static nint Number(ReadOnlySpan<byte> bytes) => FromBytes(bytes, bytes.Length, 0);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "BN_new")]
    private static partial nint BigNew();

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "BN_free")]
    private static partial void BigFree(nint number);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "BN_bin2bn")]
    private static partial nint FromBytes(ReadOnlySpan<byte> bytes, int length, nint result);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "BN_bn2binpad")]
    private static partial int ToBytes(nint number, Span<byte> bytes, int length);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_GROUP_new_curve_GFp")]
    private static partial nint GroupNew(nint p, nint a, nint b, nint context);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_GROUP_set_generator")]
    private static partial int SetGenerator(nint group, nint generator, nint order, nint cofactor);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_POINT_new")]
    private static partial nint PointNew(nint group);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_POINT_free")]
    private static partial void PointFree(nint point);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_POINT_is_at_infinity")]
    private static partial int IsAtInfinity(nint group, nint point);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_POINT_set_affine_coordinates")]
    private static partial int SetAffine(nint group, nint point, nint x, nint y, nint context);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_POINT_get_affine_coordinates")]
    private static partial int GetAffine(nint group, nint point, nint x, nint y, nint context);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "EC_POINT_mul")]
    private static partial int Multiply(nint group, nint result, nint generatorTimes, nint point, nint pointTimes, nint context);
}
