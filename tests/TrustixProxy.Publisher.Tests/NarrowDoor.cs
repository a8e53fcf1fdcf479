using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.Publisher.Tests;

/// <summary>A web server before a log node that takes less of one request than the node does, and answers 413 beyond.</summary>
internal sealed class NarrowDoor : IAsyncDisposable
{
    private readonly HttpClient _client = new();
    private readonly WebApplication _app;

    private NarrowDoor(Uri node, int most)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.Run(context => ForwardAsync(context, node, most));
    }

    public Uri Url => new(_app.Urls.First());

    public static async Task<NarrowDoor> StartAsync(Uri node, int most)
    {
        var door = new NarrowDoor(node, most);
        await door._app.StartAsync();
        return door;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task ForwardAsync(HttpContext context, Uri node, int most)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        if (body.Length > most && context.Request.Path.Value!.EndsWith("/Submit", StringComparison.Ordinal))
        {
            context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
            return;
        }

        using var request = new HttpRequestMessage(
            HttpMethod.Post, new Uri(node, context.Request.Path.Value))
        { Content = new ByteArrayContent(body.ToArray()) };
        foreach (var (name, value) in context.Request.Headers.Where(header => header.Key is "Content-Type"))
        {
            request.Content.Headers.TryAddWithoutValidation(name, value.ToString());
        }

        request.Headers.TryAddWithoutValidation("Trustix-Token", context.Request.Headers["Trustix-Token"].ToString());
        using var response = await _client.SendAsync(request);
        (context.Response.StatusCode, context.Response.ContentType) = (
            (int)response.StatusCode, response.Content.Headers.ContentType?.ToString());
        await (await response.Content.ReadAsStreamAsync()).CopyToAsync(context.Response.Body);
    }
}
