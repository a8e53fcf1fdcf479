using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using Item = TrustixProxy.TransparencyLog.Wire.KeyValuePair;

namespace TrustixProxy.LogNode.Submission;

/// <summary>Gives statements to a log, over its private listener.</summary>
/// <param name="url">http, https, or <c>unix:/path/of/socket</c>.</param>
/// <param name="token">The write token.</param>
public sealed class LogSubmitter(Uri url, NixSecretKey token) : IDisposable
{
    private const string Rpc = "/trustix_rpc.v1.LogRPC/";

    private readonly HttpClient _http = Client(url);

    /// <summary>The id of the node's log of this name, or of its only log when the name is null.</summary>
    /// <exception cref="SubmissionException">The node cannot be reached, or there is no such log.</exception>
    public async Task<string> FindLogAsync(string? name, CancellationToken cancellation)
    {
        var answer = await CallAsync("/trustix_api.v1.NodeAPI/Logs", new LogsRequest(), cancellation);
        if (!WireMessage.TryParse(LogsResponse.Parser, answer, out var node))
        {
            throw new SubmissionException($"{url}: what answers there is no log node", isRefusal: true);
        }

        var found = node.Logs.Where(log => name is null || (log.Meta.TryGetValue("name", out var its) && its == name)).ToList();
        return found.Count is 1 ? found[0].LogID : throw new SubmissionException(
            name is null ? $"{url}: the node has {node.Logs.Count} logs: say which by its name" : $"{url}: the node has no log named '{name}'", isRefusal: true);
    }

    /// <summary>Submits statements, and has them put into the log. Done when the log's signed head covers them, durably.</summary>
    /// <exception cref="SubmissionException">The node cannot be reached, or refuses.</exception>
    public async Task SubmitAsync(string logId, IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation)
    {
        foreach (var part in statements.Chunk(500))
        {
            var request = new SubmitRequest { LogID = logId };
            request.Items.AddRange(part.Select(statement => new Item { Key = ByteString.CopyFrom(statement.Key), Value = ByteString.CopyFrom(statement.Value) }));
            await CallAsync(Rpc + "Submit", request, cancellation);
        }

        await CallAsync(Rpc + "Flush", new FlushRequest { LogID = logId }, cancellation);
    }

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
            return response.IsSuccessStatusCode ? body : throw new SubmissionException($"{url}: {ErrorOf(body, (int)response.StatusCode)}", IsRefusal(response.StatusCode));
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

    /// <summary>Whether the same call would be answered so again: 4xx, but for "not in time" and "too much at once".</summary>
    private static bool IsRefusal(HttpStatusCode status) =>
        (int)status is >= 400 and < 500 && status is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests);

    private static string ErrorOf(byte[] body, int status)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.GetProperty("message").GetString() ?? $"HTTP {status}";
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return $"HTTP {status}, which is no answer of a log";
        }
    }

    private static HttpClient Client(Uri url)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), MaxResponseDrainSize = 0 };
        if (url.Scheme is "unix")
        {
            handler.ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(url.AbsolutePath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            };
        }

        return new HttpClient(handler) { BaseAddress = url.Scheme is "unix" ? new Uri("http://localhost/") : url, Timeout = TimeSpan.FromSeconds(60) };
    }
}

/// <summary>A log did not take what it was given.</summary>
/// <param name="message">Why.</param>
/// <param name="isRefusal">See <see cref="IsRefusal"/>.</param>
public sealed class SubmissionException(string message, bool isRefusal = false) : Exception(message)
{
    /// <summary>Whether the log said no, and would again (a token that it does not take, a log that it does not have); otherwise it could not be asked.</summary>
    public bool IsRefusal { get; } = isRefusal;
}
