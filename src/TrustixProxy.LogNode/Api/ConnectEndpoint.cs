using System.Diagnostics;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Api;

/// <summary>The context of a call for its handler.</summary>
/// <param name="Listener">The listener it came in on.</param>
/// <param name="Caller">The key of its token; null without one.</param>
internal sealed record ConnectContext(Listener Listener, NixPublicKey? Caller, HttpContext Http)
{
    /// <summary>Cancelled when the client disconnects.</summary>
    public CancellationToken Aborted => Http.RequestAborted;
}

/// <summary>Serves unary calls of the Connect protocol: POST, <c>application/proto</c> or <c>application/json</c>, gzip both
/// ways.</summary>
/// <remarks>Source: connectrpc.com/docs/protocol; compatible with connect-go 1.12 as the reference daemon uses it. Streaming, gRPC and
/// gRPC-Web are answered with 415.</remarks>
internal sealed class ConnectEndpoint(Callers callers, RequestRate rate, LogMetrics metrics, TimeProvider time, ILogger logger)
{
    /// <summary>Default maximum size of a request, in bytes: 1 MiB.</summary>
    private const int MaxRequest = 1 << 20;

    /// <summary>Requests larger than this are handled on another thread than the one that read them.</summary>
    private const int MaxShort = 1 << 10;

    private static readonly JsonParser Json = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    private readonly Dictionary<string, Call> _calls = [];

    /// <summary>Adds a call.</summary>
    /// <param name="procedure"><c>package.Service/Method</c>.</param>
    /// <param name="parser">Decodes the request.</param>
    /// <param name="handle">Computes the response.</param>
    /// <param name="maxRequest">Maximum size of the uncompressed request, in bytes.</param>
    /// <param name="isLong">Whether a short request may also take long.</param>
    /// <param name="cost">Number of rate tokens it costs; one when null.</param>
    public void Map<T>(
        string procedure,
        MessageParser<T> parser,
        Func<ConnectContext, T, Task<ConnectAnswer>> handle,
        int maxRequest = MaxRequest,
        bool isLong = false,
        Func<T, int>? cost = null)
        where T : class, IMessage<T>, new() =>
        _calls.Add("/" + procedure, new Call(maxRequest, isLong, (context, bytes, isJson) =>
            !TryParse(parser, bytes, isJson, out var request, out var error)
                ? Fail(ConnectCode.InvalidArgument, $"unmarshal message: {error}")
            : cost is not null && !TryPay(context, cost(request)) ? Task.FromResult(TooMuch)
            : handle(context, request)));

    /// <summary>Adds a call that is handled synchronously.</summary>
    public void Map<T>(
        string procedure, MessageParser<T> parser, Func<T, ConnectAnswer> handle, bool isLong = false, Func<T, int>? cost = null)
        where T : class, IMessage<T>, new() =>
        Map(procedure, parser, (_, request) => Task.FromResult(handle(request)), isLong: isLong, cost: cost);

    public async Task AnswerAsync(HttpContext http)
    {
        var start = Stopwatch.GetTimestamp();
        var procedure = http.Request.Path.Value ?? "";
        if (!_calls.TryGetValue(procedure, out var call))
        {
            await ConnectBody.WriteAsync(
                http, StatusCodes.Status404NotFound, "text/plain; charset=utf-8", "404 page not found\n"u8.ToArray(), time);
            return;
        }

        if (!HttpMethods.IsPost(http.Request.Method))
        {
            http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            http.Response.Headers.Allow = "POST";
        }
        else if (!TryReadType(http.Request.ContentType, out var isJson))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            http.Response.Headers["Accept-Post"] = "application/json, application/proto";
        }
        else
        {
            await ConnectBody.WriteAsync(http, await AnswerAsync(http, procedure, call, isJson), isJson, time);
        }

        metrics.Answered(procedure, http.Response.StatusCode, Stopwatch.GetElapsedTime(start));
    }

    private async Task<ConnectAnswer> AnswerAsync(HttpContext http, string procedure, Call call, bool isJson)
    {
        var listener = Listener.Of(http);
        if (!listener.IsPrivate && !rate.TryTake(http))
        {
            return TooMuch;
        }

        try
        {
            var (bytes, refusal) = await ConnectBody.ReadAsync(http, call.MaxRequest, time);
            if (call.IsLong || bytes.Length > MaxShort)
            {
                await Task.Yield(); // the thread that read it serves other connections
            }

            return refusal
                ?? (callers.TryIdentify(
                    http.Request.Headers[WriteToken.Header].ToString(), listener, procedure, bytes, out var caller, out var unknown)
                    ? await call.Handle(new ConnectContext(listener, caller, http), bytes, isJson)
                        .WaitAsync(ConnectBody.TimeoutOf(http.Request))
                    : unknown);
        }
        catch (TimeoutException)
        {
            return ConnectAnswer.Fail(ConnectCode.DeadlineExceeded,
                "the log did not finish within Connect-Timeout-Ms; submitted items may still enter the log");
        }
        catch (SigningStoppedException exception)
        {
            return ConnectAnswer.Fail(ConnectCode.FailedPrecondition, exception.Message);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            logger.CallFailed(exception, procedure);
            return ConnectAnswer.Fail(ConnectCode.Internal, "the log could not answer; see the node's own log");
        }
    }

    private static ConnectAnswer TooMuch { get; } = ConnectAnswer.Fail(
        ConnectCode.ResourceExhausted,
        $"this address requested more than {RequestRate.PerSecond} items a second: wait a second, then request fewer at once");

    private static Task<ConnectAnswer> Fail(ConnectCode code, string error) => Task.FromResult(ConnectAnswer.Fail(code, error));

    /// <summary>Charges what a call costs beyond the token already charged for reading it.</summary>
    private bool TryPay(ConnectContext context, int tokens) =>
        context.Listener.IsPrivate || tokens <= 1 || rate.TryTake(context.Http, tokens - 1);

    private static bool TryReadType(string? contentType, out bool isJson)
    {
        var type = contentType?.Split(';')[0].Trim();
        isJson = string.Equals(type, "application/json", StringComparison.OrdinalIgnoreCase);
        return isJson || string.Equals(type, "application/proto", StringComparison.OrdinalIgnoreCase);
    }

    private static bool TryParse<T>(MessageParser<T> parser, byte[] bytes, bool isJson, out T request, out string error)
        where T : class, IMessage<T>, new()
    {
        try
        {
            request = isJson ? Json.Parse<T>(System.Text.Encoding.UTF8.GetString(bytes)) : parser.ParseFrom(bytes);
            error = request.IsInitialized() ? "" : $"required field missing in {request.Descriptor.FullName}";
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or InvalidJsonException or FormatException
            or OverflowException or ArgumentException)
        {
            (request, error) = (null!, exception.Message);
        }

        return error.Length is 0;
    }

    private sealed record Call(int MaxRequest, bool IsLong, Func<ConnectContext, byte[], bool, Task<ConnectAnswer>> Handle);
}
