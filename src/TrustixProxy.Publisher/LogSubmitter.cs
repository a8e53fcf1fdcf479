using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Google.Protobuf;
using TrustixProxy.IO.Connecting;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using Item = TrustixProxy.TransparencyLog.Wire.KeyValuePair;

namespace TrustixProxy.Publisher;

/// <summary>Submits statements to a log over its private listener.</summary>
/// <param name="url">http, https, or <c>unix:/path/of/socket</c>.</param>
public sealed class LogSubmitter(Uri url, NixSecretKey token) : IDisposable
{
    private const string Rpc = "/trustix_rpc.v1.LogRPC/";

    private readonly HttpClient _http = Client(url);

    /// <summary>Finds the id of the node's log with this name; of its only log when the name is null.</summary>
    /// <exception cref="SubmissionException">The node cannot be reached, or has no such log.</exception>
    public async Task<string> FindLogAsync(string? name, CancellationToken cancellation)
    {
        var answer = await CallAsync("/trustix_api.v1.NodeAPI/Logs", new LogsRequest(), cancellation);
        if (!WireMessage.TryParse(LogsResponse.Parser, answer, out var node))
        {
            throw new SubmissionException($"{url}: the server there is not a log node", SubmissionFault.Refused);
        }

        var found = node.Logs.Where(log => name is null || (log.Meta.TryGetValue("name", out var its) && its == name)).ToList();
        return found.Count is 1 ? found[0].LogID : throw new SubmissionException(
            name is null ? $"{url}: the node has {node.Logs.Count} logs: give the name of one"
                : $"{url}: the node has no log named '{name}'", SubmissionFault.Refused);
    }

    /// <summary>Submits statements in parts, and flushes. Completes when the log's signed head covers them durably.</summary>
    /// <exception cref="SubmissionException">The node cannot be reached, or refuses the submission.</exception>
    public async Task<Submission> SubmitAsync(string logId, IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation)
    {
        var refused = new List<(BuildStatement, string)>();
        foreach (var part in SubmissionParts.Of(statements))
        {
            await SubmitPartAsync(logId, part, refused, cancellation);
        }

        await CallAsync(Rpc + "Flush", new FlushRequest { LogID = logId }, cancellation);
        var taken = statements.Except(refused.Select(item => item.Item1)).ToList();
        return new Submission(refused, await FindContradictedAsync(logId, taken, cancellation));
    }

    /// <summary>Submits entries of another kind, few and small, and flushes. Completes when the log's signed head covers them
    /// durably.</summary>
    /// <exception cref="SubmissionException">The node cannot be reached, or refuses the submission.</exception>
    public async Task SubmitEntriesAsync(string logId, IEnumerable<(byte[] Key, byte[] Value)> entries, CancellationToken cancellation)
    {
        var request = new SubmitRequest { LogID = logId };
        request.Items.AddRange(entries.Select(
            entry => new Item { Key = ByteString.CopyFrom(entry.Key), Value = ByteString.CopyFrom(entry.Value) }));
        await CallAsync(Rpc + "Submit", request, cancellation);
        await CallAsync(Rpc + "Flush", new FlushRequest { LogID = logId }, cancellation);
    }

    /// <summary>Submits a part, halved when the log's limit is lower. Sets aside a single statement that the log refuses.</summary>
    private async Task SubmitPartAsync(
        string logId, IReadOnlyList<BuildStatement> part, List<(BuildStatement, string)> refused, CancellationToken cancellation)
    {
        try
        {
            var request = new SubmitRequest { LogID = logId };
            request.Items.AddRange(part.Select(
                statement => new Item { Key = ByteString.CopyFrom(statement.Key), Value = ByteString.CopyFrom(statement.Value) }));
            await CallAsync(Rpc + "Submit", request, cancellation);
        }
        catch (SubmissionException exception) when (exception.Kind is SubmissionFault.TooMuch)
        {
            if (part.Count is 1)
            {
                refused.Add((part[0], exception.Message));
                return;
            }

            await SubmitPartAsync(logId, [.. part.Take(part.Count / 2)], refused, cancellation);
            await SubmitPartAsync(logId, [.. part.Skip(part.Count / 2)], refused, cancellation);
        }
    }

    /// <summary>Returns the paths for which the log holds another value; none when the node lacks that call.</summary>
    private async Task<IReadOnlyList<StorePath>> FindContradictedAsync(
        string logId, IReadOnlyList<BuildStatement> statements, CancellationToken cancellation)
    {
        var contradicted = new List<StorePath>();
        foreach (var part in statements.Chunk(WireMessage.MaxLookups))
        {
            var request = new LookupRequest { LogID = logId };
            request.Keys.AddRange(part.Select(statement => ByteString.CopyFrom(statement.Key)));
            byte[] bytes;
            try
            {
                bytes = await CallAsync("/trustix_proxy.v1.LookupAPI/Lookup", request, cancellation);
            }
            catch (SubmissionException exception) when (exception.Kind is not SubmissionFault.Unreachable)
            {
                return contradicted; // a reference node, for example
            }

            if (WireMessage.TryParse(LookupResponse.Parser, bytes, out var answer) && answer.Items.Count == part.Length)
            {
                contradicted.AddRange(
                    part.Zip(answer.Items).Where(pair => HoldsAnother(pair.Second, pair.First)).Select(pair => pair.First.Path));
            }
        }

        return contradicted;
    }

    private static bool HoldsAnother(LookupItem item, BuildStatement ours) =>
        item.Entries is [{ Map.Value: { Length: > 0 } value }] && MapEntry.TryParse(value.Span, out var entry)
            && entry.ValueDigest != Digest.Of(ours.Value);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<byte[]> CallAsync(string procedure, IMessage message, CancellationToken cancellation)
    {
        try
        {
            var bytes = message.ToByteArray();
            using var request = new HttpRequestMessage(HttpMethod.Post, procedure) { Content = new ByteArrayContent(bytes) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/proto");
            request.Headers.Add("Connect-Protocol-Version", "1");
            request.Headers.Add(WriteToken.Header, WriteToken.Make(token, procedure, bytes, TimeProvider.System.GetUtcNow()).ToString());
            using var response = await _http.SendAsync(request, cancellation);
            var body = await response.Content.ReadAsByteArrayAsync(cancellation);
            return response.IsSuccessStatusCode ? body : throw FaultOf(body, response.StatusCode);
        }
        catch (HttpRequestException exception)
        {
            throw new SubmissionException($"{url}: {exception.Message}");
        }
        catch (OperationCanceledException exception) when (!cancellation.IsCancellationRequested)
        {
            throw new SubmissionException($"{url}: {exception.Message}");
        }
    }

    private SubmissionException FaultOf(byte[] body, HttpStatusCode status)
    {
        var (code, message) = ErrorOf(body, (int)status);
        var kind = status is HttpStatusCode.RequestEntityTooLarge || code is "resource_exhausted" or "invalid_argument" or "out_of_range"
            ? SubmissionFault.TooMuch
            : (int)status is >= 400 and < 500 && status is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests)
                ? SubmissionFault.Refused
            : SubmissionFault.Busy;
        return new SubmissionException($"{url}: {message}", kind);
    }

    private static (string Code, string Message) ErrorOf(byte[] body, int status)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return (root.TryGetProperty("code", out var code) ? code.GetString() ?? ""
                : "", root.GetProperty("message").GetString() ?? $"HTTP {status}");
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return ("", $"HTTP {status}, which is not an answer of a log");
        }
    }

    private static HttpClient Client(Uri url)
    {
        var isUnix = url.Scheme is "unix";
        HttpMessageHandler transport = isUnix ? PeerTransport.ToSocket(Uri.UnescapeDataString(url.AbsolutePath))
            : new PeerTransport(HttpProxies.FromEnvironment, TimeProvider.System);
        return new HttpClient(transport) { BaseAddress = isUnix ? new Uri("http://localhost/") : url, Timeout = TimeSpan.FromSeconds(60) };
    }
}
