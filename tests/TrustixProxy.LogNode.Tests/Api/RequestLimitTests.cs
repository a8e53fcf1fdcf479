using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Tests.Api;

/// <summary>What goes past a limit, or over the edge of a number, is refused with a clear error; nothing of it is a fault of
/// ours.</summary>
public sealed class RequestLimitTests
{
    [Theory]
    [InlineData(0, ulong.MaxValue, "Finish is 18446744073709551615")]
    [InlineData(ulong.MaxValue, ulong.MaxValue, "Finish is 18446744073709551615")]
    [InlineData(1, 1001, "Finish is 1001")]
    [InlineData(3, 1, "Start is 3")]
    [InlineData(ulong.MaxValue, ulong.MaxValue - 1, "")]
    [InlineData(2, 1, "")]
    public async Task A_range_outside_the_log_is_refused_and_an_empty_one_is_answered(ulong start, ulong finish, string expected)
    {
        await using var node = await new TestLogNode().StartAsync();
        await node.SubmitAsync([.. Enumerable.Range(0, 3).Select(i => (new[] { (byte)i }, Array.Empty<byte>()))]);
        foreach (var call in new[] { "GetLogEntries", "GetMHLogEntries" })
        {
            var (status, text) = await PostAsync(
                node, call, new GetLogEntriesRequest { LogID = node.LogId, Start = start, Finish = finish }.ToByteArray());

            Assert.Equal(expected.Length is 0 ? HttpStatusCode.OK : HttpStatusCode.BadRequest, status);
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task More_than_a_thousand_entries_are_not_given_at_once()
    {
        await using var node = await new TestLogNode().StartAsync();
        await node.SubmitAsync([.. Enumerable.Range(0, 1001).Select(i => (BitConverter.GetBytes(i), Array.Empty<byte>()))]);

        var (status, text) = await PostAsync(
            node, "GetLogEntries", new GetLogEntriesRequest { LogID = node.LogId, Start = 0, Finish = 1000 }.ToByteArray());

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("more than 1000 entries: ask for fewer", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("")]
    public async Task A_body_of_more_than_a_mebibyte_is_refused_however_it_comes(string encoding)
    {
        await using var node = await new TestLogNode().StartAsync();
        var body = encoding is "gzip" ? Zip(new byte[50 << 20]) : new byte[(1 << 20) + 1];

        var (status, text) = await PostAsync(node, "GetHead", body, encoding: encoding, isChunked: true);

        Assert.Equal(HttpStatusCode.TooManyRequests, status);
        Assert.Contains("\"resource_exhausted\",\"message\":\"the request has more than 1048576 bytes", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_type_of_a_body_may_be_written_in_either_case()
    {
        await using var node = await new TestLogNode().StartAsync();

        Assert.Equal(HttpStatusCode.OK, (await PostAsync(node, "GetHead", Encoding.UTF8.GetBytes($$"""{"LogID":"{{node.LogId}}"}"""), "Application/JSON; charset=UTF-8")).Status);
    }

    [Theory]
    [InlineData(
        "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[")]
    [InlineData("{\"LogID\":\"\\ud800\"}")]
    [InlineData("{\"LogID\":5}")]
    [InlineData("[]")]
    [InlineData("")]
    public async Task Json_that_is_no_request_is_refused(string json)
    {
        await using var node = await new TestLogNode().StartAsync();

        Assert.Equal(
            HttpStatusCode.BadRequest, (await PostAsync(node, "GetHead", Encoding.UTF8.GetBytes(json), "application/json")).Status);
    }

    /// <remarks>A call that comes while another writes waits for it.</remarks>
    [Fact]
    public async Task A_client_that_says_how_long_it_waits_is_answered_then()
    {
        using var metrics = new LogMetrics();
        using var rate = new RequestRate();
        var endpoint = new ConnectEndpoint(
            new Callers([], null, TimeProvider.System), rate, metrics, TimeProvider.System, NullLogger.Instance);
        var never = new TaskCompletionSource<ConnectAnswer>();
        endpoint.Map("test/Never", FlushRequest.Parser, (_, _) => never.Task);
        using var body = new MemoryStream();
        var http = new DefaultHttpContext();
        http.Request.Path = "/test/Never";
        http.Request.Method = "POST";
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream("""{"LogID":"x"}"""u8.ToArray());
        http.Request.Headers["Connect-Timeout-Ms"] = "50";
        http.Response.Body = body;

        await endpoint.AnswerAsync(http);

        Assert.Equal(StatusCodes.Status408RequestTimeout, http.Response.StatusCode);
        Assert.Contains("\"deadline_exceeded\"", Encoding.UTF8.GetString(body.ToArray()), StringComparison.Ordinal);
    }

    private static byte[] Zip(byte[] bytes)
    {
        using var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return zipped.ToArray();
    }

    private static async Task<(HttpStatusCode Status, string Text)> PostAsync(
        TestLogNode node, string call, byte[] body, string type = "application/proto", string encoding = "", bool isChunked = false)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            new Uri(node.PublicUrl, $"/trustix_api.v1.LogAPI/{call}"))
        { Content = new StreamContent(new MemoryStream(body)) };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        request.Headers.TransferEncodingChunked = isChunked;
        if (encoding.Length > 0)
        {
            request.Content.Headers.ContentEncoding.Add(encoding);
        }

        using var response = await node.Client.SendAsync(request);
        await using var answer = await response.Content.ReadAsStreamAsync();
        using var text = new StreamReader(
            response.Content.Headers.ContentEncoding.Contains("gzip") ? new GZipStream(answer, CompressionMode.Decompress) : answer);
        return (response.StatusCode, await text.ReadToEndAsync());
    }
}
