using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Tests.Api;

/// <summary>Every recorded exchange with the reference daemon, made with our node: the same answers, but for one table of
/// differences.</summary>
public sealed class ConnectCasesTests
{
    /// <summary>All that we answer differently, and which words ask for that.</summary>
    private static readonly Dictionary<string, (int Status, string? Code, string Why)> Differences = new()
    {
        ["GetLogConsistencyProof second past the log"] = (400, "invalid_argument", "proper Connect codes for errors"),
        ["GetLogEntries Finish past the end"] = (400, "invalid_argument", "proper Connect codes for errors"),
        ["GetLogEntries Start = Finish + 2"] = (400, "invalid_argument", "proper Connect codes for errors"),
        ["GetMapValue absent key"] = (200, null, "proven absence: a non-membership proof with an empty value"),
        ["GetMapValue present key, unknown map root"] = (404, "not_found", "not_found for absent things"),
        ["GetMapValue present key, empty map root"] = (400, "invalid_argument", "proper Connect codes for errors"),
        ["GetMapValue present key, all-zero map root"] = (200, null, "map roots of earlier heads stay answerable: this is the empty log's"),
        ["unknown log id"] = (404, "not_found", "not_found for absent things"),
        ["bad proto: invalid UTF-8 in a string field"] = (404, "not_found", "not_found for absent things"),
        ["NodeAPI GetValue absent"] = (404, "not_found", "not_found for absent things"),
        ["NodeAPI GetValue short digest"] = (404, "not_found", "not_found for absent things"),
        ["NodeAPI GetValue empty digest"] = (404, "not_found", "not_found for absent things"),
        ["LogRPC GetHead unknown log"] = (404, "not_found", "not_found for absent things"),
        ["RPCApi GetValue absent"] = (404, "not_found", "not_found for absent things"),
        ["RPCApi Decide on a daemon without decider"] = (404, "unimplemented", "Decide answers unimplemented: a log cannot decide"),
        ["Submit without token"] = (401, "unauthenticated", "proper Connect codes for errors"),
        ["Submit with X-TRUSTIX-AUTH: 1 forged by the client"] = (401, "unauthenticated", "proper Connect codes for errors"),
        ["Submit unknown log"] = (404, "not_found", "not_found for absent things"),
        ["gRPC-Web proto"] = (415, null, "gRPC and gRPC-Web answer 415"),
        ["gRPC-Web unknown log"] = (415, null, "gRPC and gRPC-Web answer 415"),
        ["h2c gRPC"] = (415, null, "gRPC and gRPC-Web answer 415"),
        ["h2c gRPC unknown log"] = (415, null, "gRPC and gRPC-Web answer 415"),
        ["gRPC content type over HTTP/1.1"] = (415, null, "gRPC and gRPC-Web answer 415"),
    };

    /// <summary>Answers that hold the state of the recorded daemon at that moment (three entries that were not recorded, its upstream),
    /// which is not ours: their form is compared.</summary>
    private static readonly Dictionary<string, MessageParser> StateDependent = new()
    {
        ["GetHead"] = LogHead.Parser,
        ["GetMapValue"] = MapValueResponse.Parser,
        ["Logs"] = LogsResponse.Parser,
    };

    public static TheoryData<string> Names =>
        [.. Vectors.Load("connect").All("cases").Select(recorded => recorded.Text("name"))
            .Where(name => !name.StartsWith("aggregator", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_recorded_call_is_answered_as_the_reference_answers_it(string name)
    {
        await using var node = await RecordedLog.FullAsync();
        var recorded = Vectors.Load("connect").All("cases").Single(recorded => recorded.Text("name") == name);
        using var response = await node.Client.SendAsync(Request(node, recorded));
        var body = await response.Content.ReadAsByteArrayAsync();

        var isDifferent = Differences.TryGetValue(name, out var difference);
        Assert.Equal(isDifferent ? difference.Status : IsHttp2(recorded) ? 200 : recorded.Number("status"), (long)response.StatusCode);
        if (isDifferent || (int)response.StatusCode >= 400)
        {
            Assert.Equal(isDifferent ? difference.Code : CodeOf(recorded.GetProperty("response_body").GetBytesFromBase64()), CodeOf(body));
            return;
        }

        if (!IsHttp2(recorded))
        {
            AssertSameHeaders(recorded, response);
        }

        Assert.Equal(IsHttp2(recorded) ? 2 : 1, response.Version.Major);
        AssertSameBody(recorded, body);
    }

    /// <summary>HTTP/2 without TLS; recorded by another tool, as one text.</summary>
    private static bool IsHttp2(JsonElement recorded) => recorded.TryGetProperty("http", out var http) && http.GetString()!.StartsWith('2');

    private static void AssertSameHeaders(JsonElement recorded, HttpResponseMessage response)
    {
        Assert.Equal(recorded.GetProperty("content_type").GetString(), response.Content.Headers.ContentType?.ToString());
        foreach (var header in recorded.GetProperty("response_headers").EnumerateObject()
            .Where(header => header.Name is "accept-encoding" or "content-encoding"))
        {
            var sent = header.Name is "accept-encoding" ? response.Headers.GetValues("Accept-Encoding")
                : response.Content.Headers.ContentEncoding;
            Assert.Equal(header.Value.GetString(), string.Join(",", sent));
        }
    }

    private static void AssertSameBody(JsonElement recorded, byte[] body)
    {
        var expected = recorded.GetProperty("response_body").GetBytesFromBase64();
        var isCompressed = !IsHttp2(recorded) && recorded.GetProperty("response_headers").TryGetProperty("content-encoding", out _);
        var (type, method) = (
            IsHttp2(recorded) ? "application/proto" : recorded.Text("content_type"), recorded.Text("path").Split('/')[^1]);
        (expected, body) = isCompressed ? (Unzip(expected), Unzip(body)) : (expected, body);
        if (!StateDependent.TryGetValue(method, out var parser))
        {
            Assert.Equal(expected, body);
        }
        else if (type.StartsWith("application/json", StringComparison.Ordinal))
        {
            Assert.Equal(Members(expected), Members(body));
        }
        else
        {
            Assert.Equal(Fields(parser.ParseFrom(expected)), Fields(parser.ParseFrom(body)));
        }
    }

    private static HttpRequestMessage Request(TestLogNode node, JsonElement recorded)
    {
        var url = recorded.Text("path").Contains("LogRPC", StringComparison.Ordinal) ? node.PrivateUrl : node.PublicUrl;
        var request = new HttpRequestMessage(new HttpMethod(recorded.Text("method")), new Uri(url, recorded.Text("path")))
        {
            Content = new ByteArrayContent(Body(recorded, node)),
            Version = IsHttp2(recorded) ? new Version(2, 0) : new Version(1, 1),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        foreach (var header in recorded.GetProperty("request_headers").EnumerateObject())
        {
            if (header.Name is "Content-Type")
            {
                request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(header.Value.GetString()!);
            }
            else if (!request.Headers.TryAddWithoutValidation(header.Name, header.Value.GetString()))
            {
                request.Content.Headers.Add(header.Name, header.Value.GetString());
            }
        }

        return request;
    }

    /// <summary>The recorded body; a map root of the recorded daemon's last head is replaced with one that our log has.</summary>
    private static byte[] Body(JsonElement recorded, TestLogNode node)
    {
        var body = recorded.TryGetProperty("request_body", out var text) && text.ValueKind is JsonValueKind.String
            ? text.GetBytesFromBase64() : [];
        if (recorded.Text("name") is "GetMapValue hit" or "GetMapValue absent key")
        {
            var request = GetMapValueRequest.Parser.ParseFrom(body);
            request.MapRoot = node.HeadAsync().GetAwaiter().GetResult().MapRoot;
            return request.ToByteArray();
        }

        if (recorded.Text("name") is "GetMapValue JSON hit")
        {
            var root = node.HeadAsync().GetAwaiter().GetResult().MapRoot.ToBase64();
            return Encoding.UTF8.GetBytes(System.Text.RegularExpressions.Regex.Replace(
                Encoding.UTF8.GetString(body), "\"MapRoot\": \"[^\"]*\"", $"\"MapRoot\": \"{root}\""));
        }

        return body;
    }

    private static string? CodeOf(byte[] body) =>
        body.Length > 0 && body[0] == '{' ? JsonDocument.Parse(body).RootElement.TryGetProperty("code", out var code) ? code.GetString()
        : null : null;

    private static byte[] Unzip(byte[] bytes)
    {
        using var gzip = new System.IO.Compression.GZipStream(new MemoryStream(bytes), System.IO.Compression.CompressionMode.Decompress);
        using var unzipped = new MemoryStream();
        gzip.CopyTo(unzipped);
        return unzipped.ToArray();
    }

    private static IEnumerable<string> Members(byte[] json) =>
        JsonDocument.Parse(json).RootElement.EnumerateObject().Select(member => $"{member.Name}: {member.Value.ValueKind}");

    private static IEnumerable<string> Fields(IMessage message) => message.Descriptor.Fields.InDeclarationOrder()
        .Where(field => field.IsRepeated || field.Accessor.HasValue(message)).Select(field => field.Name);
}
