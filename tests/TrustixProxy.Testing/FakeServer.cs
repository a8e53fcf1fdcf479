using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.Testing;

/// <summary>An HTTP server on loopback that can go away and come back at the same address.</summary>
public abstract class FakeServer : IAsyncDisposable
{
    private WebApplication? _app;

    public Uri Url => new(_app!.Urls.Single());

    /// <summary>How long each answer takes.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Goes away; a later <see cref="RestartAsync"/> comes back at the same address.</summary>
    public Task StopAsync() => _app!.StopAsync(new CancellationToken(canceled: true));

    public async Task RestartAsync()
    {
        var url = Url.ToString();
        await _app!.DisposeAsync();
        await ListenAsync(url);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await StopAsync();
        await _app!.DisposeAsync();
    }

    protected abstract Task AnswerAsync(HttpContext context);

    protected async Task ListenAsync(string url = "http://127.0.0.1:0")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        _app = builder.Build();
        _app.Run(async context =>
        {
            await Task.Delay(Delay, context.RequestAborted);
            await AnswerAsync(context);
        });
        await _app.StartAsync();
    }
}
