using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Google.Protobuf;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Metering;
using TrustixProxy.IO.Streams;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Client;

/// <summary>The result of one call: a message, or the reason why there is none.</summary>
/// <param name="Message">The decoded answer; null on failure.</param>
/// <param name="Failure">Why there is no message, unless the log returned a protocol error.</param>
/// <param name="Error">The protocol error the log returned, as <c>code: message</c>; otherwise null.</param>
public readonly record struct CallResult<T>(T? Message, SilenceReason Failure, string? Error)
    where T : class;

/// <summary>Calls one log by the Connect protocol: unary POST, <c>application/proto</c>. Bounds the size and time of every
/// answer.</summary>
public sealed class ConnectClient(HttpClient http, TimeSpan timeout, TimeProvider time) : IDisposable
{
    private const int MaxError = 16 << 10;

    private static readonly MediaTypeHeaderValue Proto = new("application/proto");

    private readonly ResiliencePipeline _timeout = new ResiliencePipelineBuilder { TimeProvider = time }.AddTimeout(timeout).Build();
    private readonly ResiliencePipeline _breaker = new ResiliencePipelineBuilder { TimeProvider = time }
        .AddCircuitBreaker(new CircuitBreakerStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<HttpRequestException>().Handle<IOException>().Handle<TimeoutRejectedException>()
                .Handle<NotTheProtocolException>(),
            FailureRatio = 0.9,
            MinimumThroughput = 5,
            SamplingDuration = TimeSpan.FromSeconds(30),
            BreakDuration = TimeSpan.FromSeconds(2),
        })
        .AddTimeout(timeout)
        .Build();

    /// <summary>Sends one request and decodes the answer.</summary>
    /// <param name="method"><c>package.Service/Method</c>.</param>
    /// <param name="maxSize">Maximum size of the answer, in bytes.</param>
    /// <param name="counts">Whether a failure counts against the log's other calls.</param>
    /// <param name="parser">Decodes the answer.</param>
    public async Task<CallResult<T>> CallAsync<T>(
        string method, IMessage request, MessageParser<T> parser, int maxSize, bool counts, CancellationToken cancellation)
        where T : class, IMessage<T>
    {
        using var step = ProxyMeter.Step(method[(method.LastIndexOf('/') + 1)..], "url", http.BaseAddress!.ToString());
        try
        {
            var pipeline = counts ? _breaker : _timeout;
            return await pipeline.ExecuteAsync(token => SendAsync(method, request, parser, maxSize, token), cancellation);
        }
        catch (Exception exception) when (ReasonOf(exception) is { } reason && !cancellation.IsCancellationRequested)
        {
            return new CallResult<T>(null, reason, null);
        }
    }

    /// <summary>Fetches a static file below the log's address; null when there is none, or on failure.</summary>
    /// <param name="path">The path, relative to the address.</param>
    /// <param name="maxSize">Maximum size of the file, in bytes.</param>
    public async Task<ReadOnlyMemory<byte>?> GetAsync(string path, int maxSize, CancellationToken cancellation)
    {
        using var step = ProxyMeter.Step(path, "url", http.BaseAddress!.ToString());
        try
        {
            return await _timeout.ExecuteAsync(token => FetchAsync(path, maxSize, token), cancellation);
        }
        catch (Exception exception) when (ReasonOf(exception) is not null && !cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Dispose() => http.Dispose();

    private static SilenceReason? ReasonOf(Exception exception) => exception switch
    {
        BrokenCircuitException => SilenceReason.BreakerOpen,
        TimeoutRejectedException => SilenceReason.NoAnswer,
        NotTheProtocolException refused => refused.Reason,
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => SilenceReason.Tls,
        HttpRequestException or IOException when PeerTls.IsRefusal(exception) => SilenceReason.Tls,
        HttpRequestException or IOException => SilenceReason.Unreachable,
        _ => null,
    };

    private async ValueTask<CallResult<T>> SendAsync<T>(
        string method, IMessage request, MessageParser<T> parser, int maxSize, CancellationToken cancellation)
        where T : class, IMessage<T>
    {
        AskingBudget.Charge(this);
        using var message = new HttpRequestMessage(HttpMethod.Post, method)
        {
            Version = http.DefaultRequestVersion,
            VersionPolicy = http.DefaultVersionPolicy,
            Content = new ByteArrayContent(request.ToByteArray()) { Headers = { ContentType = Proto } },
        };
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation);
        var type = response.Content.Headers.ContentType?.MediaType;
        if (response.StatusCode is HttpStatusCode.OK && type is "application/proto" && response.Content.Headers.ContentEncoding.Count is 0)
        {
            var bytes = await ReadAsync(response.Content, maxSize, cancellation);
            return WireMessage.TryParse(parser, bytes.Span, out var answer)
                ? new CallResult<T>(answer, default, null)
                : throw new NotTheProtocolException(SilenceReason.BadAnswer);
        }

        return response.StatusCode is not HttpStatusCode.OK && type is "application/json"
            ? new CallResult<T>(null, SilenceReason.BadAnswer, ErrorOf(await ReadAsync(response.Content, MaxError, cancellation)))
            : throw new NotTheProtocolException(SilenceReason.BadAnswer);
    }

    private async ValueTask<ReadOnlyMemory<byte>?> FetchAsync(string path, int maxSize, CancellationToken cancellation)
    {
        AskingBudget.Charge(this);
        using var message = new HttpRequestMessage(HttpMethod.Get, path)
        {
            Version = http.DefaultRequestVersion,
            VersionPolicy = http.DefaultVersionPolicy,
        };
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation);
        return response.StatusCode is HttpStatusCode.OK && response.Content.Headers.ContentEncoding.Count is 0
            ? await ReadAsync(response.Content, maxSize, cancellation) : null;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContent content, int maxSize, CancellationToken cancellation)
    {
        if (content.Headers.ContentLength > maxSize)
        {
            throw new NotTheProtocolException(SilenceReason.TooLarge);
        }

        await using var stream = await content.ReadAsStreamAsync(cancellation);
        return await BoundedStream.ReadWholeAsync(stream, maxSize, content.Headers.ContentLength, cancellation)
            ?? throw new NotTheProtocolException(SilenceReason.TooLarge);
    }

    private static string ErrorOf(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return $"{document.RootElement.GetProperty("code").GetString()}: "
                + $"{(document.RootElement.TryGetProperty("message", out var text) ? text.GetString() : "")}";
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new NotTheProtocolException(SilenceReason.BadAnswer);
        }
    }

    /// <summary>Signals an answer that violates the protocol. Never leaves this class.</summary>
    private sealed class NotTheProtocolException(SilenceReason reason) : Exception
    {
        public SilenceReason Reason { get; } = reason;
    }
}
