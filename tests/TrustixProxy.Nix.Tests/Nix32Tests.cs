using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace TrustixProxy.Nix.Tests;

public sealed class Nix32Tests
{
    [Fact]
    public void Sha256_of_the_golden_texts_is_written_as_nix_writes_it()
    {
        var checkedTexts = 0;
        foreach (var vector in Vectors.All("nix32").Where(vector => vector.TryGetProperty("ascii", out _)))
        {
            Assert.Equal(vector.Text("sha256_nix32"), Nix32.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(vector.Text("ascii")))));
            checkedTexts++;
        }

        Assert.Equal(1, checkedTexts);
    }

    [Fact]
    public void The_digest_of_a_store_path_decodes_to_the_bytes_that_nix_sees()
    {
        var bytes = new byte[20];

        Assert.True(Nix32.TryDecode("g3mvg9q2slaizvvc5jsr2azpgmjph5r7", bytes));
        Assert.Equal("g3mvg9q2slaizvvc5jsr2azpgmjph5r7", Nix32.Encode(bytes));
    }

    [Fact]
    public void Any_bytes_come_back_as_they_were() =>
        Check.QuickThrowOnFailure(Prop.ForAll((byte[] bytes) =>
        {
            var decoded = new byte[bytes.Length];
            return Nix32.TryDecode(Nix32.Encode(bytes), decoded) && decoded.SequenceEqual(bytes);
        }));

    [Fact]
    public void Any_text_that_decodes_is_the_only_text_of_its_bytes() =>
        Check.QuickThrowOnFailure(Prop.ForAll((ulong seed) =>
        {
            const string alphabet = "0123456789abcdfghijklmnpqrsvwxyz";
            var random = new Random(seed.GetHashCode());
            var text = string.Concat(Enumerable.Range(0, 52).Select(_ => alphabet[random.Next(32)]));
            var bytes = new byte[32];
            return !Nix32.TryDecode(text, bytes) || Nix32.Encode(bytes) == text;
        }));

    [Theory]
    [InlineData("1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5")] // too short
    [InlineData("1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5ss")] // too long
    [InlineData("1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5e")] // e is no digit
    [InlineData("1B8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s")] // nor are capitals
    [InlineData("zb8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s")] // surplus high bits
    public void Other_texts_are_refused(string text) => Assert.False(Nix32.TryDecode(text, new byte[32]));
}
