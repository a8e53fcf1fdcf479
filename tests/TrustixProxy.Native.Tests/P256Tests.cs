using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Native.Tests;

/// <summary>ECDSA over P-256: deterministic signatures, which other libraries verify, and RSA.</summary>
public sealed class P256Tests
{
    /// <summary>RFC 6979, appendix A.2.5, of the message <c>sample</c>.</summary>
    private const string Scalar = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        R = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        S = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

    [Fact]
    public void The_vector_of_rfc_6979_holds()
    {
        var secret = (new System.Numerics.BigInteger(Convert.FromHexString(Scalar), true, true) - 1).ToByteArray(true, true);
        var key = new P256SigningKey([.. new byte[48 - secret.Length], .. secret]);
        var hash = SHA256.HashData("sample"u8);

        var (r, s) = key.Sign(hash);

        Assert.Equal((R, S), (Convert.ToHexStringLower(r), Convert.ToHexStringLower(s)));
        Assert.True(P256PublicKey.TryImport(key.PublicKey, out var read));
        Assert.True(read.Verify(hash, r, s));
        Assert.False(read.Verify(SHA256.HashData("other"u8), r, s));
        Assert.False(read.Verify(hash, s, r));
        Assert.False(read.Verify(hash, [], s));
        Assert.False(read.Verify(hash, r, new byte[40]));
    }

    [Fact]
    public void Openssl_verifies_what_a_key_of_any_secret_signs()
    {
        for (var i = 0; i < 20; i++)
        {
            var key = new P256SigningKey(SHA384.HashData(BitConverter.GetBytes(i)));
            var hash = SHA256.HashData(Encoding.ASCII.GetBytes($"message {i}"));
            var (r, s) = key.Sign(hash);
            var point = new ECPoint { X = key.PublicKey[1..33].ToArray(), Y = key.PublicKey[33..].ToArray() };
            using var openssl = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point });

            byte[] pair = [.. new byte[32 - r.Length], .. r, .. new byte[32 - s.Length], .. s];

            Assert.True(openssl.VerifyHash(hash, pair));
            Assert.Equal(key.Sign(hash).R, r);
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 2)]
    [InlineData(5, 1)]
    [InlineData(64, 1)]
    public void What_is_no_point_is_no_key(int index, byte flip)
    {
        var bytes = new P256SigningKey(new byte[48]).PublicKey.ToArray();
        Assert.True(P256PublicKey.TryImport(bytes, out _));

        bytes[index] = flip is 0 ? (byte)3 : (byte)(bytes[index] ^ flip);

        Assert.False(P256PublicKey.TryImport(bytes, out _));
        Assert.False(P256PublicKey.TryImport(bytes.AsSpan(1), out _));
    }

    [Fact]
    public void An_rsa_key_has_at_least_2048_bits_and_verifies_its_own_signatures()
    {
        using var rsa = RSA.Create(2048);
        var (parameters, hash) = (rsa.ExportParameters(false), SHA256.HashData("message"u8));
        var signature = rsa.SignHash(hash, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

        Assert.True(RsaPublicKey.TryImport([0, .. parameters.Modulus!], parameters.Exponent, out var key));
        Assert.True(key.Verify(hash, signature));
        Assert.False(key.Verify(SHA256.HashData("other"u8), signature));
        Assert.False(key.Verify(hash, [1, .. signature]));
        Assert.False(key.Verify(hash, []));
        Assert.False(RsaPublicKey.TryImport(parameters.Modulus.AsSpan(1), parameters.Exponent, out _));
        Assert.False(RsaPublicKey.TryImport(parameters.Modulus, [1], out _));
        Assert.False(RsaPublicKey.TryImport(parameters.Modulus, [], out _));
        Assert.False(RsaPublicKey.TryImport(parameters.Modulus, [1, 0, 0, 0, 1], out _));
        Assert.False(RsaPublicKey.TryImport(new byte[1025], parameters.Exponent, out _));
    }
}
