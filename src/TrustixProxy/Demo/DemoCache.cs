using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Demo;

/// <summary>A plain binary cache on loopback: unsigned narinfos and uncompressed NARs, kept in files.</summary>
internal sealed class DemoCache : IAsyncDisposable
{
    private readonly Dictionary<string, (NarInfo NarInfo, string File)> _paths = [];
    private readonly WebApplication _app;

    private DemoCache(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    public static async Task<DemoCache> StartAsync(CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var cache = new DemoCache(builder.Build());
        cache._app.Run(cache.AnswerAsync);
        await cache._app.StartAsync(cancellation);
        return cache;
    }

    /// <summary>Adds what a build produced.</summary>
    /// <param name="narFile">The file that is sent as its NAR, whatever the narinfo says.</param>
    public void Add(BuildStatement statement, string narFile) => _paths.Add(statement.Path.Digest.ToString(), (
        new NarInfo
        {
            StorePath = statement.Path,
            Url = $"nar/{statement.Path.Digest}.nar",
            Compression = "none",
            NarHash = statement.NarHash,
            NarSize = statement.NarSize,
            References = [.. statement.References],
        },
        narFile));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var name = Path.GetFileName(context.Request.Path.Value ?? "");
        return !_paths.TryGetValue(name.Split('.')[0], out var found) ? Results.NotFound().ExecuteAsync(context)
            : name.EndsWith(".narinfo", StringComparison.Ordinal)
                ? Results.Text(found.NarInfo.ToString(), "text/x-nix-narinfo").ExecuteAsync(context)
            : Results.File(found.File, "application/x-nix-nar").ExecuteAsync(context);
    }
}
