using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.Clients.Differential;

/// <summary>Serves samples with their oddities: all of them below its own address, and each alone below its digest.</summary>
internal sealed class CorpusCache : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Dictionary<string, Sample> _samples;

    private CorpusCache(WebApplication app, IEnumerable<Sample> samples) =>
        (_app, _samples) = (app, samples.ToDictionary(sample => sample.Path.Digest.ToString()));

    public string Url => _app.Urls.Single();

    public static async Task<CorpusCache> StartAsync(IEnumerable<Sample> samples)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(options => options.ResponseHeaderEncodingSelector = _ => Encoding.Latin1);
        var cache = new CorpusCache(builder.Build(), samples);
        cache._app.Run(cache.AnswerAsync);
        await cache._app.StartAsync();
        return cache;
    }

    /// <summary>The address below which a sample is served alone, as its oddity writes it.</summary>
    public string AddressOf(Sample sample) => sample.Oddity.Address($"{Url}/{sample.Path.Digest}");

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var parts = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var own = parts.Length > 0 ? _samples.GetValueOrDefault(parts[0]) : null;
        if (own?.Oddity.Authorization is { } wanted && context.Request.Headers.Authorization != wanted)
        {
            return WriteAsync(context, StatusCodes.Status401Unauthorized, [], []);
        }

        return parts switch
        {
            [.., "nix-cache-info"] => WriteAsync(
                context, own?.Oddity.CacheInfoStatus ?? 200, [], Encoding.UTF8.GetBytes((own?.Oddity ?? new Oddity("plain")).CacheInfo)),
            [.., var file] when _samples.TryGetValue(file.Split('.')[0], out var sample) && (own ?? sample) == sample =>
                AnswerAsync(context, sample, isNar: parts.Contains("nar")),
            _ => WriteAsync(context, StatusCodes.Status404NotFound, [], []),
        };
    }

    private static Task AnswerAsync(HttpContext context, Sample sample, bool isNar)
    {
        var oddity = sample.Oddity;
        context.Items[nameof(Oddity.IsChunked)] = oddity.IsChunked;
        return isNar
            ? WriteAsync(context, oddity.NarStatus, oddity.NarHeaders, oddity.EncodeNar(sample.File))
            : WriteAsync(context, oddity.NarInfoStatus, oddity.NarInfoHeaders, oddity.EncodeNarInfo(sample.NarInfo));
    }

    private static async Task WriteAsync(HttpContext context, int status, (string Name, string Value)[] headers, byte[] body)
    {
        context.Response.StatusCode = status;
        foreach (var (name, value) in headers)
        {
            context.Response.Headers.Append(name, value);
        }

        if (context.Items[nameof(Oddity.IsChunked)] is not true)
        {
            context.Response.ContentLength = body.Length;
        }

        if (!HttpMethods.IsHead(context.Request.Method) && body.Length > 0)
        {
            await context.Response.Body.WriteAsync(body);
        }
    }
}
