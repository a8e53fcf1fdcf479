using TrustixProxy.IO.Buckets;

namespace TrustixProxy.IO.Tests.Buckets;

/// <summary>AWS's published examples: the suite for Signature Version 4, and those of the S3 API reference.</summary>
public sealed class RequestSignatureTests
{
    [Theory]
    [InlineData("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")]
    [InlineData("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")]
    [InlineData("GET", "/?Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb")]
    [InlineData("GET", "/?Param1=value2&Param1=Value1", "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1")]
    [InlineData("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")]
    [InlineData("GET", "/?Param1=value2&Param1=value1", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694")]
    [InlineData("GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f")]
    [InlineData("GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
        + "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197")]
    [InlineData("GET", "/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85")]
    [InlineData("GET", "/?ሴ=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04")]
    public void Requests_of_the_suite_have_its_signatures(string method, string target, string signature) =>
        Assert.Equal("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            + $"SignedHeaders=host;x-amz-date, Signature={signature}", OfSuite(method, target));

    [Theory]
    [InlineData("My-Header1", "value2,value2,value1", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea")]
    [InlineData("My-Header1", "value4,value1,value3,value2", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01")]
    public void Headers_of_the_suite_have_its_signatures(string name, string value, string signature) =>
        Assert.EndsWith($"SignedHeaders=host;my-header1;x-amz-date, Signature={signature}", OfSuite("GET", "/", (name, value)),
            StringComparison.Ordinal);

    [Fact]
    public void Blanks_in_a_header_do_not_count() => Assert.EndsWith(
        "Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        OfSuite("GET", "/", ("My-Header2", " \"a   b   c\""), ("My-Header1", " value1")), StringComparison.Ordinal);

    [Theory]
    [InlineData("GET", "/test.txt", "range", "bytes=0-9", RequestSignature.NoBody,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")]
    [InlineData("GET", "/?lifecycle", null, null, RequestSignature.NoBody,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")]
    [InlineData("GET", "/?max-keys=2&prefix=J", null, null, RequestSignature.NoBody,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")]
    public void Requests_of_the_s3_reference_have_its_signatures(
        string method, string target, string? name, string? value, string bodyHash, string signature)
    {
        var headers = new Dictionary<string, string>
        {
            ["Host"] = "examplebucket.s3.amazonaws.com",
            ["x-amz-date"] = "20130524T000000Z",
            ["x-amz-content-sha256"] = bodyHash,
        };
        if (name is not null)
        {
            headers[name] = value!;
        }

        Assert.EndsWith($"Signature={signature}", OfReference(method, target, headers, bodyHash), StringComparison.Ordinal);
    }

    [Fact]
    public void An_upload_of_the_s3_reference_has_its_signature_though_its_name_has_a_dollar()
    {
        const string hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        var headers = new Dictionary<string, string>
        {
            ["Host"] = "examplebucket.s3.amazonaws.com",
            ["Date"] = "Fri, 24 May 2013 00:00:00 GMT",
            ["x-amz-date"] = "20130524T000000Z",
            ["x-amz-storage-class"] = "REDUCED_REDUNDANCY",
            ["x-amz-content-sha256"] = hash,
        };

        Assert.EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            OfReference("PUT", "/test$file.text", headers, hash), StringComparison.Ordinal);
    }

    [Fact]
    public void However_an_address_is_escaped_its_signature_is_the_same()
    {
        Assert.Equal(OfSuite("GET", "/a%2Bb%20c?x=%7E"), OfSuite("GET", "/a+b%20c?x=~"));
        Assert.NotEqual(OfSuite("GET", "/a/b"), OfSuite("GET", "/a%2Fb"));
    }

    [Theory]
    [InlineData("https://bucket.example/x", "bucket.example")]
    [InlineData("https://bucket.example:443/x", "bucket.example")]
    [InlineData("http://bucket.example:443/x", "bucket.example:443")]
    [InlineData("http://[::1]:9000/x", "[::1]:9000")]
    [InlineData("http://[::1]/x", "[::1]")]
    public void The_host_is_signed_as_it_is_sent(string address, string host) =>
        Assert.Equal(host, RequestSignature.HostOf(new Uri(address)));

    [Fact]
    public void A_key_does_not_show_itself() =>
        Assert.DoesNotContain("s3cret", $"{new AwsCredentials("s3cret-id", "s3cret", "s3cret-token")}", StringComparison.Ordinal);

    private static string OfSuite(string method, string target, params (string Name, string Value)[] headers) =>
        new RequestSignature("us-east-1", "service").Sign(
            new AwsCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            new DateTimeOffset(2015, 8, 30, 12, 36, 0, TimeSpan.Zero),
            method, new Uri($"https://example.amazonaws.com{target}"),
            [
                new("X-Amz-Date", "20150830T123600Z"), new("Host", "example.amazonaws.com"),
                .. headers.Select(header => KeyValuePair.Create(header.Name, header.Value)),
            ],
            RequestSignature.NoBody);

    private static string OfReference(string method, string target, Dictionary<string, string> headers, string bodyHash) =>
        new RequestSignature("us-east-1").Sign(new AwsCredentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            new DateTimeOffset(2013, 5, 24, 0, 0, 0, TimeSpan.Zero), method, new Uri($"https://examplebucket.s3.amazonaws.com{target}"),
            headers, bodyHash);
}
