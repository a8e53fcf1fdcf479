using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.EndToEnd;

/// <summary>Serves a cache's folder over HTTP, and changes what passes.</summary>
internal sealed class FaultyCache : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<string> _requests = new();

    private FaultyCache(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    public IReadOnlyCollection<string> Requests => _requests;

    /// <param name="folder">The cache.</param>
    /// <param name="changeNarInfo">What becomes of each narinfo.</param>
    /// <param name="changeNar">What becomes of each NAR's file.</param>
    public static async Task<FaultyCache> StartAsync(
        string folder, Func<string, string>? changeNarInfo = null, Func<byte[], byte[]>? changeNar = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var cache = new FaultyCache(builder.Build());
        cache._app.Run(async context =>
        {
            var path = context.Request.Path.Value!;
            cache._requests.Enqueue(path);
            var file = Path.Combine(folder, path.TrimStart('/'));
            if (!File.Exists(file))
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return;
            }

            var bytes = await File.ReadAllBytesAsync(file);
            bytes = path.EndsWith(".narinfo", StringComparison.Ordinal)
                ? Encoding.Latin1.GetBytes((changeNarInfo ?? (text => text))(Encoding.Latin1.GetString(bytes)))
                : path.StartsWith("/nar/", StringComparison.Ordinal) ? (changeNar ?? (nar => nar))(bytes) : bytes;
            await Results.Bytes(bytes, "application/octet-stream", enableRangeProcessing: true).ExecuteAsync(context);
        });
        await cache._app.StartAsync();
        return cache;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
