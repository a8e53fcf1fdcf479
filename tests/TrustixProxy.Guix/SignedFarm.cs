using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;

namespace TrustixProxy.Guix;

/// <summary>A farm of the test's own: it has what it is given, and signs it.</summary>
internal sealed class SignedFarm : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, byte[]> _files = new();
    private readonly FarmKey _key = new();
    private readonly Lock _lock = new();
    private WebApplication? _app;
    private int _underway;

    public string Url => _app!.Urls.Single();

    public string PublicKey => _key.PublicKey;

    /// <summary>The most requests that were under way together.</summary>
    public int Most { get; private set; }

    /// <summary>How long each answer takes.</summary>
    public TimeSpan Delay { get; set; }

    public static async Task<SignedFarm> StartAsync()
    {
        var farm = new SignedFarm();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        farm._app = builder.Build();
        farm._app.Run(farm.AnswerAsync);
        await farm._app.StartAsync();
        return farm;
    }

    /// <summary>Serves a NAR as the output at a path without references.</summary>
    /// <param name="output">The path, <c>/gnu/store/…</c>.</param>
    /// <param name="nar">The NAR.</param>
    public void Add(string output, byte[] nar)
    {
        var name = Path.GetFileName(output);
        var head = $"StorePath: {output}\nNarHash: sha256:{Nix32.Encode(SHA256.HashData(nar))}\nNarSize: {nar.Length}\nReferences: \n";
        var rest = $"URL: nar/{name}\nCompression: none\nFileSize: {nar.Length}\n";
        _files[$"/nar/{name}"] = nar;
        _files[$"/{name[..32]}.narinfo"] = Encoding.ASCII.GetBytes(head + _key.Sign(head) + rest);
    }

    public async ValueTask DisposeAsync()
    {
        await _app!.DisposeAsync();
        _key.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        lock (_lock)
        {
            Most = Math.Max(Most, ++_underway);
        }

        await Task.Delay(Delay);
        lock (_lock)
        {
            _underway--;
        }

        if (!_files.TryGetValue(context.Request.Path.Value!, out var file))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.ContentLength = file.Length;
        await context.Response.Body.WriteAsync(file);
    }
}
