using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Tests.Api;

public sealed class TokenTests
{
    private const string Submit = "/trustix_rpc.v1.LogRPC/Submit";

    [Fact]
    public async Task Recorded_tokens_are_taken_and_refused_as_the_reference_does()
    {
        await using var node = await RecordedLog.Node().StartAsync();
        foreach (var recorded in Vectors.Load("tokens").All("requests"))
        {
            var status = await SendAsync(
                node, recorded.Text("procedure"), recorded.Hex("request_body"), recorded.GetProperty("header").GetString());

            // The one difference: no token at all is "unauthenticated", where the reference says "unknown".
            var isValid = recorded.GetProperty("valid").GetBoolean();
            Assert.True(status == (isValid ? 200 : 401), $"{recorded.Text("name")}: {status}");
        }
    }

    [Fact]
    public async Task Our_token_is_good_once_for_its_body_its_call_and_a_minute()
    {
        await using var node = await RecordedLog.Node().StartAsync();
        var body = new SubmitRequest { LogID = node.LogId, Items = { Item("a") } }.ToByteArray();
        var other = new SubmitRequest { LogID = node.LogId, Items = { Item("b") } }.ToByteArray();
        var now = DateTimeOffset.UtcNow;
        string Token(DateTimeOffset time, string procedure = Submit) => WriteToken.Make(node.Token, procedure, body, time).ToString();
        var good = Token(now);

        Assert.Equal(200, await SendAsync(node, Submit, body, good));
        Assert.Equal(401, await SendAsync(node, Submit, body, good)); // again
        Assert.Equal(401, await SendAsync(node, Submit, other, Token(now))); // another message
        Assert.Equal(401, await SendAsync(node, Submit, body, Token(now, "/trustix_rpc.v1.LogRPC/Flush"))); // another call
        Assert.Equal(401, await SendAsync(node, Submit, body, Token(now - TimeSpan.FromSeconds(90))));
        Assert.Equal(401, await SendAsync(node, Submit, body, Token(now + TimeSpan.FromSeconds(90))));
        Assert.Equal(200, await SendAsync(node, Submit, body, Token(now - TimeSpan.FromSeconds(30))));
        Assert.Equal(
            401, await SendAsync(node, Submit, body, WriteToken.Make(NixSecretKey.Generate("peer"), Submit, body, now).ToString()));
    }

    [Fact]
    public void No_part_of_our_token_can_be_changed()
    {
        var key = NixSecretKey.Generate("builder");
        var token = WriteToken.Make(key, Submit, "body"u8, DateTimeOffset.UtcNow);

        Assert.True(token.IsBy(key.PublicKey, Submit));
        Assert.False((token with { Time = token.Time + 1 }).IsBy(key.PublicKey, Submit));
        Assert.False((token with { Nonce = new byte[16] }).IsBy(key.PublicKey, Submit));
        Assert.False((token with { Body = new byte[32] }).IsBy(key.PublicKey, Submit));
        // it is none of the reference's form either
        Assert.False((token with { Time = null, Nonce = null, Body = null }).IsBy(key.PublicKey, Submit));
    }

    [Theory]
    [InlineData("{\"name\":\"peer\",\"sig\":\"AAAA\",\"nonce\":\"AAAA\"}")]
    [InlineData("{\"name\":\"peer\",\"sig\":\"AAAA\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"time\":99999999999999999,\"body\":\"\"}")]
    [InlineData("{\"name\":null,\"sig\":null}")]
    [InlineData("null")]
    [InlineData("[]")]
    public async Task What_is_no_token_is_unauthenticated(string header)
    {
        await using var node = await RecordedLog.Node().StartAsync();

        Assert.Equal(401, await SendAsync(node, Submit, new SubmitRequest { LogID = node.LogId }.ToByteArray(), header));
    }

    [Fact]
    public async Task Tokens_of_the_reference_are_refused_where_the_configuration_says_so()
    {
        await using var node = RecordedLog.Node();
        node.Change = options => options with { ReferenceTokens = false };
        await node.StartAsync();
        var body = new SubmitRequest { LogID = node.LogId, Items = { Item("a") } }.ToByteArray();

        Assert.Equal(401, await SendAsync(node, Submit, body, node.TokenFor(Submit)));
        Assert.Equal(200, await SendAsync(node, Submit, body, WriteToken.Make(node.Token, Submit, body, DateTimeOffset.UtcNow).ToString()));
    }

    [Fact]
    public async Task Writes_are_refused_on_public_listeners_whatever_the_token()
    {
        await using var node = await RecordedLog.Node().StartAsync();
        var body = new SubmitRequest { LogID = node.LogId, Items = { Item("a") } }.ToByteArray();

        Assert.Equal(403, await SendAsync(node, Submit, body, node.TokenFor(Submit), node.PublicUrl));
    }

    private static TransparencyLog.Wire.KeyValuePair Item(string key) =>
        new() { Key = ByteString.CopyFromUtf8(key), Value = ByteString.CopyFromUtf8("v") };

    private static async Task<int> SendAsync(TestLogNode node, string procedure, byte[] body, string? header, Uri? url = null)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Post, new Uri(url ?? node.PrivateUrl, procedure))
        { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/proto");
        if (header is not null)
        {
            request.Headers.TryAddWithoutValidation(WriteToken.Header, header);
        }

        using var response = await node.Client.SendAsync(request);
        return (int)response.StatusCode;
    }
}
