using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;

namespace TrustixProxy.Benchmarks;

/// <summary>A binary cache out of a directory and out of memory. It serves ranges, counts requests and bytes, and ends connections early
/// where it is told to.</summary>
internal sealed class NetworkUpstream : IAsyncDisposable
{
    /// <summary>What the clock of a pause can tell apart.</summary>
    private static readonly TimeSpan Grain = TimeSpan.FromMilliseconds(2);

    private readonly WebApplication _app;
    private readonly string _files;
    private readonly ConcurrentDictionary<string, byte[]> _narInfos = new(StringComparer.Ordinal);
    private long _sent, _narRequests, _narInfoRequests;

    private NetworkUpstream(WebApplication app, string files) => (_app, _files) = (app, files);

    public Uri Url => new(_app.Urls.Single());

    /// <summary>How many bytes of a NAR one connection brings before it ends; no limit when null.</summary>
    public long? BytesPerConnection { get; set; }

    /// <summary>How fast the line is for one answer; no limit when null.</summary>
    public long? BytesPerSecond { get; set; }

    /// <summary>Whether NARs are gone: 404.</summary>
    public bool AreNarsGone { get; set; }

    /// <summary>Bytes of NARs that were sent.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    public long NarRequests => Interlocked.Read(ref _narRequests);

    public long NarInfoRequests => Interlocked.Read(ref _narInfoRequests);

    public static async Task<NetworkUpstream> StartAsync(string files)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var upstream = new NetworkUpstream(app, files);
        app.Run(upstream.AnswerAsync);
        await app.StartAsync();
        return upstream;
    }

    /// <summary>A path that no cache and no log has.</summary>
    public static StorePath RandomPath() =>
        StorePath.TryParse($"{Nix32.Encode(RandomNumberGenerator.GetBytes(20))}-absent", out var path, out _) ? path
            : throw new InvalidOperationException();

    /// <summary>Has this narinfo from now on.</summary>
    public void Offer(NarInfo narInfo) => _narInfos[$"/{narInfo.StorePath.Digest}.narinfo"] = Encoding.ASCII.GetBytes(narInfo.ToString());

    /// <summary>Sets all counts to 0.</summary>
    public void Forget()
    {
        Interlocked.Exchange(ref _sent, 0);
        Interlocked.Exchange(ref _narRequests, 0);
        Interlocked.Exchange(ref _narInfoRequests, 0);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        var isNar = path.StartsWith("/nar/", StringComparison.Ordinal);
        if (isNar)
        {
            Interlocked.Increment(ref _narRequests);
        }
        else if (path.EndsWith(".narinfo", StringComparison.Ordinal))
        {
            Interlocked.Increment(ref _narInfoRequests);
        }

        if (_narInfos.TryGetValue(path, out var text))
        {
            context.Response.ContentLength = text.Length;
            await context.Response.Body.WriteAsync(text);
            return;
        }

        var file = Path.Combine(_files, path.TrimStart('/'));
        if (!File.Exists(file) || (isNar && AreNarsGone))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await SendAsync(context, file, isNar);
    }

    private async Task SendAsync(HttpContext context, string file, bool isNar)
    {
        await using var content = File.OpenRead(file);
        var range = context.Request.Headers.Range.ToString();
        if (range.StartsWith("bytes=", StringComparison.Ordinal))
        {
            content.Position = long.Parse(
                range["bytes=".Length..range.IndexOf('-', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {content.Position}-{content.Length - 1}/{content.Length}";
        }

        context.Response.ContentLength = content.Length - content.Position;
        var (buffer, left) = (new byte[64 << 10], isNar ? BytesPerConnection ?? long.MaxValue : long.MaxValue);
        var (first, watch) = (content.Position, Stopwatch.StartNew());
        while (await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), context.RequestAborted) is var read and > 0)
        {
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
            left -= read;
            Interlocked.Add(ref _sent, isNar ? read : 0);
            var ahead = TimeSpan.FromSeconds((content.Position - first) / (double)(BytesPerSecond ?? long.MaxValue)) - watch.Elapsed;
            if (ahead > Grain)
            {
                await Task.Delay(ahead, context.RequestAborted);
            }
        }

        if (content.Position < content.Length)
        {
            await context.Response.Body.FlushAsync(context.RequestAborted);
            context.Abort();
        }
    }
}
