using Microsoft.AspNetCore.Http;

namespace TrustixProxy.Testing;

/// <summary>What any server can do to its clients, whatever it serves.</summary>
internal static class Misbehaviour
{
    public enum Kind
    {
        None,
        Huge,
        Drip,
        Hang,
        Reset,
        Html,
    }

    /// <summary>Misbehaves; false when it was not told to.</summary>
    public static async Task<bool> TryAsync(HttpContext context, Kind kind)
    {
        var aborted = context.RequestAborted;
        try
        {
            switch (kind)
            {
                case Kind.None:
                    return false;
                case Kind.Huge:
                    context.Response.ContentType = "application/proto";
                    var block = new byte[1 << 20];
                    for (var i = 0; i < 100; i++)
                    {
                        await context.Response.Body.WriteAsync(block, aborted);
                    }

                    break;
                case Kind.Drip:
                    context.Response.ContentType = "application/proto";
                    for (var i = 0; i < 600; i++)
                    {
                        await context.Response.Body.WriteAsync(new byte[1], aborted);
                        await context.Response.Body.FlushAsync(aborted);
                        await Task.Delay(TimeSpan.FromSeconds(1), aborted);
                    }

                    break;
                case Kind.Hang:
                    await Task.Delay(TimeSpan.FromMinutes(10), aborted);
                    break;
                case Kind.Reset:
                    context.Abort();
                    break;
                default:
                    context.Response.ContentType = "text/html";
                    await context.Response.WriteAsync("<html><body>This domain is for sale</body></html>", aborted);
                    break;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The client has had enough.
        }

        return true;
    }
}
