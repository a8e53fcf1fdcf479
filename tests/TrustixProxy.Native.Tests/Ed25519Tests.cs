using System.Text;

namespace TrustixProxy.Native.Tests;

/// <summary>The test vectors of RFC 8032, section 7.1, and what any other input is answered with.</summary>
public sealed class Ed25519Tests
{
    [Theory]
    [InlineData("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")]
    [InlineData("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")]
    [InlineData("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")]
    public void The_vectors_of_the_rfc_hold(string seed, string publicKey, string message, string signature)
    {
        var key = new Ed25519SigningKey(Hex(seed));

        Assert.Equal(signature, Convert.ToHexStringLower(key.Sign(Hex(message))));
        Assert.Equal(publicKey, Convert.ToHexStringLower(key.PublicKey));
        Assert.True(Ed25519.Verify(Hex(publicKey), Hex(message), Hex(signature)));
    }

    [Fact]
    public void No_bit_of_key_message_or_signature_can_be_flipped()
    {
        var signing = new Ed25519SigningKey(new byte[32]);
        var message = Encoding.ASCII.GetBytes("message");
        var (key, signature) = (signing.PublicKey, signing.Sign(message));
        foreach (var part in new[] { key, message, signature })
        {
            for (var bit = 0; bit < part.Length * 8; bit++)
            {
                part[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.False(Ed25519.Verify(key, message, signature));
                part[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        Assert.True(Ed25519.Verify(key, message, signature));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(31, 64)]
    [InlineData(33, 64)]
    [InlineData(32, 63)]
    [InlineData(32, 65)]
    public void Other_lengths_are_no_signature(int key, int signature) => Assert.False(Ed25519.Verify(new byte[key], [1], new byte[signature]));

    private static byte[] Hex(string text) => Convert.FromHexString(text);
}
