using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Api;

/// <summary>Serves the checkpoints and tiles of logs with an origin under <c>/LOGNAME/</c>, as C2SP tlog-tiles says.</summary>
/// <remarks>Tiles are those of the published head, and a tile never changes.</remarks>
internal sealed class TileEndpoint(
    IEnumerable<HostedLog> logs, RequestRate rate, LogMetrics metrics, TimeProvider time, ILogger logger)
{
    private readonly Dictionary<string, HostedLog> _logs =
        logs.Where(log => log.Options.Origin is not null).ToDictionary(log => log.Options.Name);

    /// <summary>Finds the file that a request names; false when no log with an origin can have it.</summary>
    public bool TryFind(HttpContext http, [NotNullWhen(true)] out TileFile? file)
    {
        file = null;
        var path = http.Request.Path.Value ?? "";
        var end = path.IndexOf('/', Math.Min(1, path.Length));
        if (end > 0 && _logs.TryGetValue(path[1..end], out var log) && TilePath.TryParse(path.AsSpan(end + 1), out var tile)
            && IsAsSent(http, path))
        {
            file = new TileFile(log, tile);
        }

        return file is not null;
    }

    public async Task AnswerAsync(HttpContext http, TileFile file)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            await WriteAsync(http, file);
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or IOException) && !http.Response.HasStarted)
        {
            logger.CallFailed(exception, http.Request.Path.Value!);
            http.Response.Clear();
            http.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }

        metrics.Answered($"tiles/{file.Path.Kind}", http.Response.StatusCode, Stopwatch.GetElapsedTime(start));
    }

    private async Task WriteAsync(HttpContext http, TileFile file)
    {
        var (log, path) = file;
        var head = log.Sequencer.Head;
        if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
        {
            http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            http.Response.Headers.Allow = "GET, HEAD";
        }
        else if (!TryPay(http, 1))
        {
            await RefuseAsync(http);
        }
        else if (path.Kind is TileKind.Checkpoint)
        {
            var notes = head.Notes!;
            var note = (path.Tree is Tree.Log ? notes.Log : notes.MapHeads).ToBytes();
            await SendAsync(http, "text/plain; charset=utf-8", "no-cache", note.Length, [note]);
        }
        else if ((path.Tree is Tree.Log ? head.Size : head.MapHeadSize) is var size && !path.IsIn(size))
        {
            await http.WriteTextAsync(StatusCodes.Status404NotFound,
                $"no such tile: the checkpoint's size is {size}; ask for tiles below it, and for a partial one where it ends\n");
        }
        else
        {
            await Task.Yield(); // the thread that read the request serves other connections
            var (length, read) = TileFiles.SizeOf(log.Database, path);
            if (TryPay(http, RequestRate.TokensOf(Math.Max(length, read))))
            {
                await SendAsync(
                    http, "application/octet-stream", "public, max-age=31536000, immutable", length, TileFiles.Read(log.Database, path));
            }
            else
            {
                await RefuseAsync(http);
            }
        }
    }

    /// <summary>Sends a file. Closes the connection of a client that does not read it in time.</summary>
    private async Task SendAsync(HttpContext http, string type, string caching, long length, IEnumerable<byte[]> parts)
    {
        var response = http.Response;
        (response.ContentType, response.ContentLength, response.Headers.CacheControl) = (type, length, caching);
        if (HttpMethods.IsHead(http.Request.Method))
        {
            return;
        }

        foreach (var part in parts)
        {
            using var end = new BodyTimer(http, time);
            await end.WaitAsync(response.Body.WriteAsync(part, http.RequestAborted), part.Length);
        }
    }

    private bool TryPay(HttpContext http, int tokens) => Listener.Of(http).IsPrivate || rate.TryTake(http, tokens);

    private static Task RefuseAsync(HttpContext http)
    {
        http.Response.Headers.RetryAfter = "1";
        return http.WriteTextAsync(StatusCodes.Status429TooManyRequests,
            $"this address read more than {RequestRate.BytesPerSecond} bytes a second: wait a second, then ask again\n");
    }

    /// <summary>Whether the request spelled the path as it is: without escapes and dots, so that caches know each file by one
    /// name.</summary>
    private static bool IsAsSent(HttpContext http, string path)
    {
        var target = http.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var query = target.IndexOf('?', StringComparison.Ordinal);
        var sent = query < 0 ? target : target[..query];
        return sent == path || (!sent.StartsWith('/') && sent.EndsWith(path, StringComparison.Ordinal));
    }
}

/// <summary>A file of a hosted log.</summary>
internal sealed record TileFile(HostedLog Log, TilePath Path);
