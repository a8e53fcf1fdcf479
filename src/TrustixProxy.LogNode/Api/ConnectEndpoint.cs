using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.LogNode.Api;

/// <summary>What a handler may know of a request beside its message.</summary>
/// <param name="Http">The request.</param>
/// <param name="Procedure">The path of the call, which tokens are made for.</param>
internal readonly record struct ConnectContext(HttpContext Http, string Procedure);

/// <summary>Serves unary calls of the Connect protocol: POST, <c>application/proto</c> or <c>application/json</c>, gzip both ways.</summary>
/// <remarks>Source: connectrpc.com/docs/protocol; compatible with connect-go 1.12 as the reference daemon uses it. Streaming, gRPC and gRPC-Web are answered with 415.</remarks>
internal sealed class ConnectEndpoint(ILogger logger)
{
    /// <summary>The most bytes that a request may have, uncompressed.</summary>
    public const int MaxRequest = 16 << 20;

    private static readonly JsonParser Json = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));
    private static readonly JsonFormatter JsonText = new(JsonFormatter.Settings.Default);

    private readonly Dictionary<string, Func<ConnectContext, Payload, Task<ConnectAnswer>>> _calls = [];

    /// <summary>Adds a call.</summary>
    /// <param name="procedure"><c>package.Service/Method</c>.</param>
    /// <param name="parser">Reads its request.</param>
    /// <param name="handle">Answers it.</param>
    public void Map<T>(string procedure, MessageParser<T> parser, Func<ConnectContext, T, Task<ConnectAnswer>> handle)
        where T : class, IMessage<T>, new() =>
        _calls.Add("/" + procedure, (context, payload) => TryParse(parser, payload, out var request, out var error)
            ? handle(context, request)
            : Task.FromResult(ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"unmarshal message: {error}")));

    /// <summary>Adds a call that is answered at once.</summary>
    public void Map<T>(string procedure, MessageParser<T> parser, Func<T, ConnectAnswer> handle)
        where T : class, IMessage<T>, new() =>
        Map(procedure, parser, (_, request) => Task.FromResult(handle(request)));

    public async Task AnswerAsync(HttpContext http)
    {
        var procedure = http.Request.Path.Value ?? "";
        if (!_calls.TryGetValue(procedure, out var call))
        {
            await WriteAsync(http, StatusCodes.Status404NotFound, "text/plain; charset=utf-8", "404 page not found\n"u8.ToArray());
        }
        else if (!HttpMethods.IsPost(http.Request.Method))
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
            await AnswerAsync(http, new ConnectContext(http, procedure), isJson, call);
        }
    }

    private async Task AnswerAsync(HttpContext http, ConnectContext context, bool isJson, Func<ConnectContext, Payload, Task<ConnectAnswer>> call)
    {
        ConnectAnswer answer;
        try
        {
            answer = await ReadAsync(http) is var (bytes, refusal) && refusal is { } refused ? refused : await call(context, new Payload(bytes, isJson));
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            logger.CallFailed(exception, context.Procedure);
            answer = ConnectAnswer.Fail(ConnectCode.Internal, "the log could not answer; its own messages say why");
        }

        http.Response.Headers.AcceptEncoding = "gzip";
        if (answer.Message is null)
        {
            await WriteAsync(http, (int)answer.Code, "application/json", ErrorText(answer));
        }
        else
        {
            await WriteAsync(http, StatusCodes.Status200OK, http.Request.ContentType!, isJson ? System.Text.Encoding.UTF8.GetBytes(JsonText.Format(answer.Message)) : answer.Message.ToByteArray());
        }
    }

    private static bool TryReadType(string? contentType, out bool isJson)
    {
        var type = contentType?.Split(';')[0].Trim();
        isJson = type is "application/json";
        return isJson || type is "application/proto";
    }

    /// <summary>The request's bytes, or why they are not read.</summary>
    private static async Task<(byte[] Bytes, ConnectAnswer? Refusal)> ReadAsync(HttpContext http)
    {
        var headers = http.Request.Headers;
        var encoding = headers.ContentEncoding.ToString();
        var refusal = headers["Connect-Protocol-Version"].ToString() is var version and not ("" or "1") ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"Connect-Protocol-Version must be \"1\": got \"{version}\"")
            : headers["Connect-Timeout-Ms"].ToString() is var timeout && timeout.Length > 0 && !long.TryParse(timeout, out _) ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"Connect-Timeout-Ms must be a number of milliseconds: got \"{timeout}\"")
            : encoding is not ("" or "identity" or "gzip") ? ConnectAnswer.Fail(ConnectCode.Unimplemented, $"unknown compression \"{encoding}\": supported encodings are gzip")
            : (ConnectAnswer?)null;
        if (refusal is not null)
        {
            return ([], refusal);
        }

        using var bytes = new MemoryStream();
        await using var body = encoding is "gzip" ? new GZipStream(http.Request.Body, CompressionMode.Decompress) : http.Request.Body;
        var buffer = new byte[16 << 10];
        while (await body.ReadAsync(buffer, http.RequestAborted) is var read and > 0)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > MaxRequest)
            {
                return ([], ConnectAnswer.Fail(ConnectCode.ResourceExhausted, $"the request has more than {MaxRequest} bytes: send fewer items at once"));
            }
        }

        return (bytes.ToArray(), null);
    }

    private static bool TryParse<T>(MessageParser<T> parser, Payload payload, out T request, out string error)
        where T : class, IMessage<T>, new()
    {
        try
        {
            request = payload.IsJson ? Json.Parse<T>(System.Text.Encoding.UTF8.GetString(payload.Bytes)) : parser.ParseFrom(payload.Bytes);
            error = request.IsInitialized() ? "" : $"required field missing in {request.Descriptor.FullName}";
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or InvalidJsonException or FormatException or OverflowException or ArgumentException)
        {
            (request, error) = (null!, exception.Message);
        }

        return error.Length is 0;
    }

    private static byte[] ErrorText(ConnectAnswer answer) => JsonSerializer.SerializeToUtf8Bytes(
        new { code = JsonNamingPolicy.SnakeCaseLower.ConvertName(answer.Code.ToString()), message = answer.Error },
        ErrorJson);

    private static readonly JsonSerializerOptions ErrorJson = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static async Task WriteAsync(HttpContext http, int status, string contentType, byte[] body)
    {
        var response = http.Response;
        (response.StatusCode, response.ContentType) = (status, contentType);
        if (body.Length > 0 && http.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal))
        {
            using var compressed = new MemoryStream();
            await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            {
                gzip.Write(body);
            }

            response.Headers.ContentEncoding = "gzip";
            body = compressed.ToArray();
        }

        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, http.RequestAborted);
    }

    private readonly record struct Payload(byte[] Bytes, bool IsJson);
}
