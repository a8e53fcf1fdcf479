using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.LogNode.Api;

/// <summary>Reads and writes the bodies of Connect calls: headers, sizes, compression, error texts.</summary>
internal static class ConnectBody
{
    private const string TimeoutHeader = "Connect-Timeout-Ms";

    private static readonly JsonFormatter JsonText = new(JsonFormatter.Settings.Default);
    private static readonly JsonSerializerOptions ErrorJson = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a request's uncompressed bytes, or returns why it is refused.</summary>
    /// <remarks>A body that does not arrive in time closes the connection.</remarks>
    public static async Task<(byte[] Bytes, ConnectAnswer? Refusal)> ReadAsync(HttpContext http, int most, TimeProvider time)
    {
        if (CheckHeaders(http.Request, most) is { } refusal)
        {
            return ([], refusal);
        }

        using var end = new BodyTimer(http, time);
        try
        {
            var bytes = new MemoryStream((int)Math.Min(http.Request.ContentLength ?? 0, most));
            await using var body = http.Request.Headers.ContentEncoding.ToString() is "gzip"
                ? new GZipStream(http.Request.Body, CompressionMode.Decompress) : http.Request.Body;
            var buffer = new byte[16 << 10];
            while (await end.WaitAsync(body.ReadAsync(buffer, http.RequestAborted), most) is var read and > 0)
            {
                bytes.Write(buffer, 0, read);
                if (bytes.Length > most)
                {
                    return ([], TooLong(most));
                }
            }

            return (bytes.Length == bytes.Capacity ? bytes.GetBuffer() : bytes.ToArray(), null);
        }
        catch (Exception exception) when (exception is InvalidDataException or BadHttpRequestException)
        {
            return ([], ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"the request's body cannot be read: {exception.Message}"));
        }
    }

    /// <summary>Returns the client's timeout; infinite when it sends none.</summary>
    public static TimeSpan TimeoutOf(HttpRequest request) =>
        ulong.TryParse(request.Headers[TimeoutHeader].ToString(), out var milliseconds)
            ? TimeSpan.FromMilliseconds((long)Math.Min(milliseconds, int.MaxValue)) : Timeout.InfiniteTimeSpan;

    /// <summary>Writes a call's response.</summary>
    public static Task WriteAsync(HttpContext http, ConnectAnswer answer, bool isJson, TimeProvider time)
    {
        http.Response.Headers.AcceptEncoding = "gzip";
        return answer.Message is { } message
            ? WriteAsync(http, StatusCodes.Status200OK, http.Request.ContentType!, isJson ? Encoding.UTF8.GetBytes(JsonText.Format(message))
                : message.ToByteArray(), time)
            : WriteAsync(http, answer.Status, "application/json", ErrorText(answer), time);
    }

    /// <summary>Writes a body, compressed where the client accepts that. Closes the connection of a client that does not read in
    /// time.</summary>
    public static async Task WriteAsync(HttpContext http, int status, string contentType, byte[] body, TimeProvider time)
    {
        var response = http.Response;
        (response.StatusCode, response.ContentType) = (status, contentType);
        // a client that sends gzip accepts it
        var accepted = http.Request.Headers.AcceptEncoding is { Count: > 0 } said ? said : http.Request.Headers.ContentEncoding;
        if (body.Length > 0 && accepted.ToString().Contains("gzip", StringComparison.Ordinal))
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
        using var end = new BodyTimer(http, time);
        await end.WaitAsync(response.Body.WriteAsync(body, http.RequestAborted), body.Length);
    }

    private static ConnectAnswer? CheckHeaders(HttpRequest request, int most)
    {
        var (version, timeout, encoding) = (request.Headers["Connect-Protocol-Version"].ToString(),
            request.Headers[TimeoutHeader].ToString(), request.Headers.ContentEncoding.ToString());
        return version is not ("" or "1")
            ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"Connect-Protocol-Version must be \"1\": got \"{version}\"")
            : timeout.Length > 0 && !ulong.TryParse(timeout, out _)
                ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"{TimeoutHeader} must be a number of milliseconds: got \"{timeout}\"")
            : encoding is not ("" or "identity" or "gzip")
                ? ConnectAnswer.Fail(ConnectCode.Unimplemented, $"unknown compression \"{encoding}\": supported encodings are gzip")
            : request.ContentLength > most ? TooLong(most)
            : null;
    }

    private static ConnectAnswer TooLong(int most) =>
        ConnectAnswer.Fail(ConnectCode.ResourceExhausted, $"the request has more than {most} bytes: send less at once");

    private static byte[] ErrorText(ConnectAnswer answer) => Encoding.UTF8.GetBytes(
        new JsonObject
        {
            ["code"] = JsonNamingPolicy.SnakeCaseLower.ConvertName(answer.Code.ToString()),
            ["message"] = answer.Error
        }.ToJsonString(ErrorJson));
}
