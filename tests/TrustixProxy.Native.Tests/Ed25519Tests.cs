using System.Text;

namespace TrustixProxy.Native.Tests;

/// <summary>The test vectors of RFC 8032, section 7.1, the edge cases on which libraries differ, and any other input.</summary>
/// <remarks>The edge cases were made with a key of a known seed. OpenSSL and libsodium differ only where it says so.</remarks>
public sealed class Ed25519Tests
{
    [Theory]
    [InlineData("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")]
    [InlineData("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")]
    [InlineData("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")]
    public void The_vectors_of_the_rfc_hold(string seed, string publicKey, string message, string signature)
    {
        var key = new Ed25519SigningKey(Hex(seed));

        Assert.Equal(signature, Convert.ToHexStringLower(key.Sign(Hex(message))));
        Assert.Equal(publicKey, Convert.ToHexStringLower(key.PublicKey.Bytes));
        Assert.True(Imported(Hex(publicKey)).Verify(Hex(message), Hex(signature)));
    }

    [Fact]
    public void No_bit_of_key_message_or_signature_can_be_flipped()
    {
        var signing = new Ed25519SigningKey(new byte[32]);
        var message = Encoding.ASCII.GetBytes("message");
        var (key, signature) = (signing.PublicKey.Bytes.ToArray(), signing.Sign(message));
        foreach (var part in new[] { key, message, signature })
        {
            for (var bit = 0; bit < part.Length * 8; bit++)
            {
                part[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.False(Imported(key).Verify(message, signature));
                part[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        Assert.True(Imported(key).Verify(message, signature));
    }

    [Theory]
    [InlineData("S is not below L",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a0814db29e42db4d642132a9bb57734ab8adfd71c566ed468fc839d79671fbc2b51d")]
    [InlineData("S is not below L, and neither are its high bits",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081c87d57cd9303e5890ef380cc891fd13ffe71c566ed468fc839d79671fbc2b58d")]
    [InlineData("R is of small order: OpenSSL accepts it",
        "0100000000000000000000000000000000000000000000000000000000000000ad6b8d2ff003cb26770820f8172585a4bc2af49a164f49e293575f077a690b0f")]
    [InlineData("R is of order 2",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f23e345b1553150e3493b6e22f209e97e0bf56634fb657b35600acfa134d0e60d")]
    [InlineData("R is of order 4",
        "00000000000000000000000000000000000000000000000000000000000000008b60db29525d11b07fca85377be15f61af3faea8c16b9ed55446fd8a80df8504")]
    [InlineData("R is of order 8",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05d96ca3ef823bddac9f05a33d46c846cec7da8874f70be8fa53c0ba6a819fd507")]
    [InlineData("R is of small order and not canonical",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f0aad2dd0db97f64537e9ae8af311bd210c5caa2a2007bd3dea6e6fcb0a2b1301")]
    [InlineData("R is of small order with a sign that it cannot have",
        "0100000000000000000000000000000000000000000000000000000000000080947322f84ba99bb6b0aed00e859e1919c64bd92dd7fc49fe69f9b2af3e2c3008")]
    [InlineData("R has a part of order 8",
        "2856536c4aeeeb789bd4c703a54587280a914c7e7b9054f42dda4012e369282cd893660c9ebce2769372c0a2d6689949754d19d41aad614eec2a4388c886d60e")]
    [InlineData("R has a part of order 2",
        "d07b3f636ea4e1caa0becf4c6af098abd8f4c89690c90e4935a2b564b30b779ffc8764fc5c630ed6b1b68c1d1808f1275f499cba115a1b99c2f97ecf639f3203")]
    public void A_signature_in_a_form_that_no_signer_makes_is_refused(string what, string signature)
    {
        var key = new Ed25519SigningKey([.. Enumerable.Range(0, 32).Select(i => (byte)i)]).PublicKey;

        Assert.False(key.Verify("edge"u8, Hex(signature)), what);
    }

    [Theory]
    [InlineData("edge12", true,
        "1d84c09c915b1e355f4130b3950f6754270b37696f36f1b6ca5d4a9b4cf48860c83720e1d2f60e226b1b39dc38613cb4c54dad9a6e379008136d01d3d1c5f108")]
    [InlineData("edge0", false,
        "1d84c09c915b1e355f4130b3950f6754270b37696f36f1b6ca5d4a9b4cf48860b509f1c801cfd3a9633af534333914b3a4fc7cf596b3783884fa9bd56e70440a")]
    public void A_key_with_a_part_of_order_8_verifies_without_the_cofactor(string message, bool expected, string signature)
    {
        var key = Imported(Hex("b154bd62188ae283dd187fefe8c31f5e276edf083b4cff11c9d5cff856c74440"));

        Assert.Equal(expected, key.Verify(Encoding.ASCII.GetBytes(message), Hex(signature)));
    }

    [Fact]
    public void Each_encoding_of_a_point_of_small_order_is_no_key()
    {
        var points = new[]
        {
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        };
        foreach (var key in points.SelectMany(point => BothSigns(Hex(point))))
        {
            Assert.Equal(Ed25519KeyError.Weak, ErrorOf(key));
        }
    }

    [Fact]
    public void Each_encoding_whose_y_is_not_below_p_is_no_key_and_the_last_below_p_is_one()
    {
        var last = Hex("ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"); // p - 2
        Assert.All(BothSigns(last), key => Assert.Equal(Ed25519KeyError.None, ErrorOf(key)));
        for (var low = 0xed; low <= 0xff; low++)
        {
            last[0] = (byte)low;
            Assert.All(BothSigns(last), key => Assert.Equal(Ed25519KeyError.Weak, ErrorOf(key)));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void Other_lengths_are_no_key(int length) => Assert.Equal(Ed25519KeyError.Size, ErrorOf(new byte[length]));

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(65)]
    public void Other_lengths_are_no_signature(int length) =>
        Assert.False(new Ed25519SigningKey(new byte[32]).PublicKey.Verify([1], new byte[length]));

    [Fact]
    public void A_made_key_is_the_one_of_its_seed_and_derives_what_hkdf_derives()
    {
        var (key, seed) = (Ed25519SigningKey.Generate(), new byte[32]);
        key.ExportSeed(seed);
        var expected = System.Security.Cryptography.HKDF.DeriveKey(
            System.Security.Cryptography.HashAlgorithmName.SHA256, seed, 32, salt: null, info: "purpose"u8.ToArray());

        Assert.Equal(key.PublicKey, new Ed25519SigningKey(seed).PublicKey);
        Assert.NotEqual(key.PublicKey, Ed25519SigningKey.Generate().PublicKey);
        Assert.Equal(expected, key.Derive("purpose"u8, 32));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Ed25519SigningKey(seed.AsSpan(1)));
    }

    private static IEnumerable<byte[]> BothSigns(byte[] key) => [key, [.. key[..^1], (byte)(key[^1] ^ 0x80)]];

    private static Ed25519KeyError ErrorOf(byte[] bytes)
    {
        Ed25519PublicKey.TryImport(bytes, out _, out var error);
        return error;
    }

    private static Ed25519PublicKey Imported(byte[] bytes) =>
        Ed25519PublicKey.TryImport(bytes, out var key, out var error) ? key : throw new ArgumentException($"{error}");

    private static byte[] Hex(string text) => Convert.FromHexString(text);
}
