using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.Guix;

/// <summary>Stands before a farm, and can alter, delay or refuse what it says.</summary>
internal sealed class FarmRelay : IAsyncDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly string _target;
    private WebApplication? _app;

    private FarmRelay(string target) => _target = target;

    public string Url => _app!.Urls.Single();

    /// <summary>What was asked for, in order.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>What is made of an answer, by its path.</summary>
    public Func<string, byte[], byte[]> Change { get; set; } = (_, body) => body;

    /// <summary>Whether it answers 503 to everything.</summary>
    public bool IsDown { get; set; }

    public static async Task<FarmRelay> StartAsync(Farm farm)
    {
        var relay = new FarmRelay(farm.Url);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        relay._app = builder.Build();
        relay._app.Run(relay.AnswerAsync);
        await relay._app.StartAsync();
        return relay;
    }

    public async ValueTask DisposeAsync()
    {
        await _app!.DisposeAsync();
        _client.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        _requests.Enqueue(path);
        if (IsDown)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{_target}{path}"));
        request.Headers.ConnectionClose = true; // as the proxy itself asks: guix publish ends some answers with the connection
        using var answer = await _client.SendAsync(request);
        context.Response.StatusCode = (int)answer.StatusCode;
        var body = Change(path, await answer.Content.ReadAsByteArrayAsync());
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body);
    }
}
