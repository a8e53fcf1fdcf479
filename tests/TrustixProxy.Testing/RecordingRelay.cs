using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.Testing;

/// <summary>Passes calls on to another server, and remembers which.</summary>
public sealed class RecordingRelay : FakeServer
{
    private readonly ConcurrentQueue<string> _calls = new();
    private readonly HttpClient _http = new();

    private RecordingRelay(Uri target) => Route = _ => target;

    /// <summary>Where a method's calls go.</summary>
    public Func<string, Uri> Route { get; set; }

    /// <summary>The methods that were called, in order.</summary>
    public IReadOnlyCollection<string> Calls => _calls;

    public static async Task<RecordingRelay> StartAsync(Uri target)
    {
        var relay = new RecordingRelay(target);
        await relay.ListenAsync();
        return relay;
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        _calls.Enqueue(Path.GetFileName(context.Request.Path.Value)!);
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(
            Route(Path.GetFileName(context.Request.Path.Value)!), context.Request.Path))
        { Content = new ByteArrayContent(body.ToArray()) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
        using var response = await _http.SendAsync(request);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        await response.Content.CopyToAsync(context.Response.Body);
    }
}
