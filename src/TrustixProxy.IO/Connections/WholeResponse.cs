using System.Text;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.IO.Connections;

/// <summary>Writes responses whose body is known. A HEAD request gets the headers only.</summary>
/// <remarks>No cancellation token: an aborted connection ends the write, and a token would cost an allocation per request.</remarks>
public static class WholeResponse
{
    private const string TextType = "text/plain; charset=utf-8";

    /// <summary>Responds with plain text.</summary>
    public static Task WriteTextAsync(this HttpContext context, int status, string text) =>
        context.WriteBodyAsync(status, TextType, Encoding.UTF8.GetBytes(text));

    /// <summary>Responds with a body.</summary>
    public static Task WriteBodyAsync(this HttpContext context, int status, string contentType, byte[] body)
    {
        var response = context.Response;
        (response.StatusCode, response.ContentType, response.ContentLength) = (status, contentType, body.Length);
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask
            : response.Body.WriteAsync(body, 0, body.Length, CancellationToken.None);
    }
}
