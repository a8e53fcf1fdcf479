using System.Text;
using System.Text.Json;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Apt.Tests.Make;

namespace TrustixProxy.Apt.Tests;

/// <summary>Links of two instances of rebuilderd, of reproduce.debian.net and of Arch Linux's rebuilder.</summary>
public sealed class LinkTests
{
    private const string Hello = "hello_2.12.3-1_amd64.deb", Sl = "sl_5.02-1+b1_amd64.deb";

    private static readonly TestRebuilder Alice = new("alice");

    public static TheoryData<string, string, string, string> Real => new()
    {
        { "a-hello", "a-public-keys.json", Hello, "fcd5f5b2169b376ce84d2b541e1e1c2bf5b855eb5e322dd623a88395e2e7458e" },
        { "b-hello", "b-public-keys.json", Hello, "fcd5f5b2169b376ce84d2b541e1e1c2bf5b855eb5e322dd623a88395e2e7458e" },
        { "a-sl", "a-public-keys.json", Sl, "47b95fd2c680eb8d8adff862a38b590318c76cd8d155cb3ac1049019732de2c0" },
        { "librust-as-slice-dev_0.2.1-1+b2_amd64", "reproduce-debian-net-amd64.pub", "librust-as-slice-dev_0.2.1-1+b2_amd64.deb",
            "32be954941cdb42bce44c19ece910af04ece3a1acc9b79fa3e8ff735ffb511cd" },
        { "filesystem-2025.10.12-1-any", "reproducible-archlinux.pub", "filesystem-2025.10.12-1-any.pkg.tar.zst",
            "6b6c3fee7432204840d3b6afc9bc1a68c28f591a47fb220071715c40cca956df" },
    };

    [Theory]
    [MemberData(nameof(Real))]
    public void A_real_link_is_a_claim_of_its_file_and_names_its_key(string link, string key, string fileName, string sha256)
    {
        var json = LinkOf(link);

        Assert.True(RebuildLink.TryVerify(json, KeyOf(key), fileName, out var claim, out _));
        Assert.Equal($"{fileName} sha256:{sha256}", claim.Text);
        Assert.Contains($"\"keyid\":\"{KeyOf(key).Id}\"", Encoding.UTF8.GetString(json), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Real))]
    public void A_changed_byte_is_refused_unless_what_is_signed_stays_the_same(string link, string key, string fileName, string sha256)
    {
        var (json, rebuilder) = (LinkOf(link), KeyOf(key));
        var signed = Signed(json);
        var refused = 0;
        for (var i = 0; i < json.Length; i++)
        {
            foreach (var flip in (byte[])[1, 0x20, 0x80])
            {
                var changed = json.ToArray();
                changed[i] ^= flip;
                if (!RebuildLink.TryVerify(changed, rebuilder, fileName, out var claim, out _))
                {
                    refused++;
                    continue;
                }

                Assert.Equal(sha256, claim.Sha256.ToString());
                Assert.True(JsonElement.DeepEquals(signed, Signed(changed)), $"byte {i}");
            }
        }

        // what may change is the other signature and the names of keys: less than 500 bytes
        Assert.InRange(refused, (json.Length - 500) * 3, json.Length * 3);
    }

    [Theory]
    [InlineData("a-hello", "b-public-keys.json", Hello, LinkError.Signature)]
    [InlineData("b-hello", "a-public-keys.json", Hello, LinkError.Signature)]
    [InlineData("a-hello", "reproduce-debian-net-amd64.pub", Hello, LinkError.Signature)]
    [InlineData("a-hello", "a-public-keys.json", Sl, LinkError.OtherFile)]
    [InlineData("a-hello", "a-public-keys.json", "hello_2.12.3-1_amd64.buildinfo", LinkError.OtherFile)]
    public void A_link_by_another_key_or_of_another_file_is_no_vote(string link, string key, string fileName, LinkError expected)
    {
        Assert.False(RebuildLink.TryVerify(LinkOf(link), KeyOf(key), fileName, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_link_without_its_signature_is_no_vote()
    {
        var json = LinkOf("a-hello");
        var unsigned = Encoding.UTF8.GetBytes($$"""{"signatures":[],"signed":{{Signed(json)}}}""");

        Assert.False(RebuildLink.TryVerify(unsigned, KeyOf("a-public-keys.json"), Hello, out _, out var error));
        Assert.Equal(LinkError.Signature, error);
    }

    [Fact]
    public void A_link_with_another_digest_than_was_signed_is_no_vote()
    {
        var text = Encoding.UTF8.GetString(LinkOf("a-hello")).Replace("fcd5f5b2", "fcd5f5b3", StringComparison.Ordinal);

        Assert.False(RebuildLink.TryVerify(Encoding.UTF8.GetBytes(text), KeyOf("a-public-keys.json"), Hello, out _, out var error));
        Assert.Equal(LinkError.Signature, error);
    }

    [Fact]
    public void Spaces_escapes_and_the_order_of_members_do_not_matter()
    {
        var root = JsonDocument.Parse(LinkOf("a-hello")).RootElement;
        var members = Signed(LinkOf("a-hello")).EnumerateObject().Reverse()
            .Select(member => $"\"{member.Name}\" : {member.Value.GetRawText()}");
        var text = $"{{ \"signed\": {{ {string.Join(" ,\n", members)} }},\n\"signatures\": {root.GetProperty("signatures")} }}"
            .Replace("\"link\"", "\"\\u006cink\"", StringComparison.Ordinal);

        Assert.True(RebuildLink.TryVerify(Encoding.UTF8.GetBytes(text), KeyOf("a-public-keys.json"), Hello, out _, out _));
    }

    public static TheoryData<string, LinkError> Signable => new()
    {
        { """{"_type":"layout","products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Type },
        { """{"products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Type },
        { """{"_type":"link"}""", LinkError.OtherFile },
        { """{"_type":"link","products":[]}""", LinkError.OtherFile },
        { """{"_type":"link","materials":{"x.deb":{"sha256":"HASH"}},"products":{}}""", LinkError.OtherFile },
        { """{"_type":"link","products":{"x.deb":"HASH"}}""", LinkError.OtherFile },
        { """{"_type":"link","products":{"x.deb":{"sha512":"HASH"}}}""", LinkError.Digest },
        { """{"_type":"link","products":{"x.deb":{"sha256":"HASH0"}}}""", LinkError.Digest },
        { """{"_type":"link","products":{"x.deb":{"sha256":7}}}""", LinkError.Digest },
        { """{"_type":"link","byproducts":{"stdout":"a\nb"},"products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Form },
        { """{"_type":"link","byproducts":{"time":1.5},"products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Form },
        { """{"_type":"link","byproducts":{"time":-0},"products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Form },
        { """{"_type":"link","products":{"x.deb":{"sha256":"HASH"},"x.deb":{"sha256":"HASH"}}}""", LinkError.Json },
        { """{"_type":"link","name":"\ud800","products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Json },
        { """{"_type":"link","a":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],"products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.Json },
        { """{"_type":"link","byproducts":{"time":-7},"products":{"x.deb":{"sha256":"HASH"}}}""", LinkError.None },
    };

    [Theory]
    [MemberData(nameof(Signable))]
    public void What_a_rebuilder_signs_counts_only_as_a_link_of_the_file(string content, LinkError expected)
    {
        var link = Alice.Sign(content.Replace("HASH", DigestOf(1).ToString(), StringComparison.Ordinal));

        var isClaim = RebuildLink.TryVerify(link, Alice.Elector.Key, "x.deb", out var claim, out var error);

        Assert.Equal((expected is LinkError.None, expected), (isClaim, error));
        Assert.Equal(isClaim, claim is not null);
    }

    [Theory]
    [InlineData("", LinkError.Json)]
    [InlineData("[]", LinkError.Json)]
    [InlineData("""{"signed":{}}""", LinkError.Json)]
    [InlineData("""{"signatures":[]}""", LinkError.Json)]
    [InlineData("""{"signatures":{},"signed":{}}""", LinkError.Json)]
    [InlineData("""{"signatures":[],"signed":{},"signed":{}}""", LinkError.Json)]
    [InlineData("""{"signatures":[1,"",{},{"sig":1},{"sig":"zz"},{"sig":""}],"signed":{}}""", LinkError.Signature)]
    public void What_is_no_link_at_all_is_refused(string json, LinkError expected)
    {
        Assert.False(RebuildLink.TryVerify(Encoding.UTF8.GetBytes(json), Alice.Elector.Key, "x.deb", out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void Too_many_signatures_and_too_many_bytes_are_refused_before_any_is_verified()
    {
        var link = Encoding.UTF8.GetString(Alice.Link("x.deb", DigestOf(1)));
        var many = link.Replace(
            "\"signatures\":[", $"\"signatures\":[{string.Concat(Enumerable.Repeat("{},", 15))}", StringComparison.Ordinal);
        var padded = link + new string(' ', RebuildLink.MaxSize);

        Assert.False(RebuildLink.TryVerify(Encoding.UTF8.GetBytes(many), Alice.Elector.Key, "x.deb", out _, out var error));
        Assert.Equal(LinkError.Json, error);
        Assert.False(RebuildLink.TryVerify(Encoding.UTF8.GetBytes(padded), Alice.Elector.Key, "x.deb", out _, out error));
        Assert.Equal(LinkError.TooLarge, error);
        Assert.True(RebuildLink.TryVerify(Encoding.UTF8.GetBytes(link), Alice.Elector.Key, "x.deb", out _, out _));
    }

    private static byte[] LinkOf(string name) => File.ReadAllBytes($"Vectors/rebuilderd/{name}.in-toto.link");

    private static JsonElement Signed(byte[] json) => JsonDocument.Parse(json).RootElement.GetProperty("signed");
}
