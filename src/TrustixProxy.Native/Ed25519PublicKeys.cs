namespace TrustixProxy.Native;

/// <summary>Tells public keys that nobody should be believed by.</summary>
/// <remarks>For a key of small order anyone can make a signature that OpenSSL takes, and a key that has two encodings passes for two keys.
/// Source: RFC 8032 (section 5.1.3) and the list of libsodium's <c>ge25519_has_small_order</c>.</remarks>
public static class Ed25519PublicKeys
{
    /// <summary>The y of every point whose order divides 8, without the sign of x, least byte first. The encodings y + p of 0 and 1 are
    /// not canonical.</summary>
    private static readonly byte[][] SmallOrder =
    [
        new byte[32], // y = 0, order 4: all zero
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"), // order 1
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), // order 8
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), // order 8
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // y = p - 1, order 2
    ];

    /// <summary>Whether a key of 32 bytes is all zero, of small order, or not canonical (y is at least p = 2^255 - 19).</summary>
    public static bool IsWeak(ReadOnlySpan<byte> key)
    {
        Span<byte> y = stackalloc byte[Ed25519.PublicKeySize];
        key.CopyTo(y);
        y[^1] &= 0x7f;
        if (y[^1] is 0x7f && y[0] >= 0xed && !y[1..^1].ContainsAnyExcept((byte)0xff))
        {
            return true;
        }

        foreach (var weak in SmallOrder)
        {
            if (y.SequenceEqual(weak))
            {
                return true;
            }
        }

        return false;
    }
}
