using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Nix.Tests;

public sealed class ContentAddressTests
{
    private static readonly NixHash AnyHash = NixHash.Sha256(SHA256.HashData([1]));

    [Fact]
    public void The_golden_addresses_make_their_paths()
    {
        var made = 0;
        foreach (var vector in Vectors.All("content_addressed"))
        {
            Assert.True(StorePath.TryParse(vector.Text("path"), out var path, out _));
            var references = vector.GetProperty("references").EnumerateArray().Select(text => text.GetString()!)
                .Select(text => text is "self" ? path : Path(text)).ToList();
            Assert.True(ContentAddress.TryParse(AddressOf(vector), out var address));
            var narHash = address.Method is ContentAddressMethod.Nar && address.Hash.Algorithm is NixHashAlgorithm.Sha256 ? address.Hash
                : AnyHash;

            Assert.True(address.Matches(path, references, narHash), vector.ToString());
            Assert.False(address.Matches(Path("/nix/store/00000000000000000000000000000000-" + path.Name), references, narHash));
            Assert.False(address.Matches(path, [.. references, Path("/nix/store/00000000000000000000000000000000-more")], narHash));
            made++;
        }

        Assert.Equal(7, made);
    }

    [Fact]
    public void A_plain_recursive_address_is_the_nar_hash()
    {
        Assert.True(ContentAddress.TryParse("fixed:r:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18", out var address));

        Assert.False(address.Matches(Path("/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src"), [], AnyHash));
    }

    [Theory]
    [InlineData("text:sha256", 32)]
    [InlineData("fixed:md5", 16)]
    [InlineData("fixed:r:sha512", 64)]
    [InlineData("fixed:git:sha1", 20)]
    public void An_address_is_written_as_it_was_read(string method, int size)
    {
        var text = $"{method}:{Nix32.Encode(RandomNumberGenerator.GetBytes(size))}";

        Assert.True(ContentAddress.TryParse(text, out var address));
        Assert.Equal(text, address.ToString());
    }

    [Fact]
    public void Text_may_not_refer_to_itself_and_is_sha256()
    {
        var path = Path("/nix/store/vwfcm6jnb2kf60f9db2dmhww2i4cnsn1-foo");
        Assert.True(ContentAddress.TryParse("text:sha256:" + AnyHash.Digits, out var text));
        Assert.True(ContentAddress.TryParse("text:sha1:9cn4dyclzvbmy7h8rsmmf8qsvmcqrvh2", out var sha1));

        Assert.False(text.Matches(path, [path], AnyHash));
        Assert.False(sha1.Matches(path, [], AnyHash));
    }

    [Theory]
    [InlineData("")]
    [InlineData("fixed:")]
    [InlineData("fixed:r:")]
    [InlineData("fixed:r:sha256:")]
    [InlineData("fixed:r:sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")]
    [InlineData("fixed:R:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18")]
    [InlineData("nar:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18")]
    public void Anything_else_is_no_address(string text) => Assert.False(ContentAddress.TryParse(text, out _));

    private static string AddressOf(System.Text.Json.JsonElement vector)
    {
        if (vector.TryGetProperty("ca", out var written))
        {
            return written.GetString()!;
        }

        var member = vector.EnumerateObject().Single(member => member.Name.Contains("_of", StringComparison.Ordinal));
        var contents = Encoding.ASCII.GetBytes(member.Value.GetString()!);
        return member.Name switch
        {
            "flat_sha256_of" => $"fixed:sha256:{Nix32.Encode(SHA256.HashData(contents))}",
            "flat_sha1_of" => $"fixed:sha1:{Nix32.Encode(SHA1.HashData(contents))}",
            "nar_sha1_of_file" => $"fixed:r:sha1:{Nix32.Encode(SHA1.HashData(Nar(contents)))}",
            "text_of" => $"text:sha256:{Nix32.Encode(SHA256.HashData(contents))}",
            _ => throw new NotSupportedException(member.Name),
        };
    }

    private static byte[] Nar(byte[] contents)
    {
        using var stream = new MemoryStream();
        new NarWriter(stream).File(contents);
        return stream.ToArray();
    }

    private static StorePath Path(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) ? path : throw new ArgumentException(text);
}
