namespace TrustixProxy.Native.Tests;

/// <summary>ECDSA over Ed25519's group, judged by libgcrypt's signatures in <c>Vectors/guix/signatures.tsv</c>.</summary>
public sealed class Ed25519EcdsaTests
{
    /// <summary>n, the order of the group.</summary>
    private const string Order = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";

    private static readonly byte[] Alice = Hex("8f24a89142cad646113a1a51bbdfb50324f08a3b48158e7fa50e6a5d13649063");

    private static readonly (byte[] Hash, byte[] R, byte[] S)[] Signatures = [.. File.ReadLines("Vectors/guix/signatures.tsv")
        .Where(line => line[0] is not '#').Select(line => line.Split('\t')).Select(cells => (Hex(cells[1]), Hex(cells[2]), Hex(cells[3])))];

    [Fact]
    public void Every_signature_of_libgcrypt_is_valid_and_for_no_other_hash()
    {
        var key = Imported(Alice);

        Assert.InRange(Signatures.Length, 20, 1000);
        Assert.Contains(Signatures, signature => signature.R.Length < 32 || signature.S.Length < 32);
        foreach (var (hash, r, s) in Signatures)
        {
            Assert.True(key.Verify(hash, r, s));
            Assert.True(key.Verify(hash, [0, .. r], s));
            Assert.False(key.Verify(Signatures.First(other => other.Hash != hash).Hash, r, s));
        }
    }

    [Fact]
    public void No_bit_of_hash_r_s_or_key_can_be_flipped()
    {
        var (key, signature) = (Imported(Alice), Signatures[0]);
        foreach (var part in new[] { signature.Hash[..31], signature.R, signature.S })
        {
            for (var bit = 0; bit < part.Length * 8; bit += 7)
            {
                var (hash, r, s) = (signature.Hash.ToArray(), signature.R.ToArray(), signature.S.ToArray());
                var flipped = part == signature.R ? r : part == signature.S ? s : hash;
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.False(key.Verify(hash, r, s));
            }
        }

        for (var bit = 0; bit < 256; bit += 5)
        {
            var bytes = Alice.ToArray();
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Ed25519EcdsaKey.TryImport(bytes, out var other) && other.Verify(signature.Hash, signature.R, signature.S));
        }
    }

    [Fact]
    public void Numbers_outside_of_1_to_n_minus_1_are_no_signature()
    {
        var (key, (hash, r, s)) = (Imported(Alice), Signatures[0]);
        var n = System.Numerics.BigInteger.Parse("0" + Order, System.Globalization.NumberStyles.HexNumber, null);
        var more = (new System.Numerics.BigInteger(s, true, true) + n).ToByteArray(true, true);
        var negated = (n - new System.Numerics.BigInteger(s, true, true)).ToByteArray(true, true);

        Assert.All(new[] { [], [0], Hex(Order), new byte[34], more, negated }, other =>
        {
            Assert.False(key.Verify(hash, other, s));
            Assert.False(key.Verify(hash, r, other));
        });
        Assert.False(key.Verify(hash.AsSpan(1), r, s));
    }

    [Theory]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")] // y = 1, order 1
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")] // y = -1, order 2
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")] // order 4
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")] // order 8
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")] // order 8
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")] // not on the curve
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")] // y = p
    [InlineData("5866666666666666666666666666666666666666666666666666666666666600")] // not canonical for any point of the group
    [InlineData("8f24a891")]
    public void What_is_no_point_of_the_group_of_prime_order_is_no_key(string bytes) =>
        Assert.False(Ed25519EcdsaKey.TryImport(Hex(bytes), out _));

    private static Ed25519EcdsaKey Imported(byte[] bytes) =>
        Ed25519EcdsaKey.TryImport(bytes, out var key) ? key : throw new ArgumentException(Convert.ToHexString(bytes));

    private static byte[] Hex(string text) => Convert.FromHexString(text);
}
