using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;

namespace TrustixProxy.Testing;

/// <summary>A GNU Guix build farm as <c>guix publish</c> is without a cache: signed narinfos, and NARs without a length. After an
/// uncompressed NAR it keeps the connection open, unless it is asked to close it.</summary>
public sealed class FakeFarm : FakeServer
{
    private readonly ConcurrentDictionary<string, string> _narInfos = new();
    private readonly ConcurrentDictionary<string, byte[]> _files = new();
    private readonly ConcurrentQueue<string> _requests = new();

    private readonly StorePathDigest _deriver = TestOutput.PathOf("x").Digest;

    private FakeFarm(string name) => Key = new GuixFarmKey(name);

    public GuixFarmKey Key { get; }

    /// <summary>What was asked for, in order, with the request's <c>Connection</c>.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>What is made of a narinfo's text before it is signed.</summary>
    public Func<string, string> ChangeHead { get; set; } = head => head;

    /// <summary>What is made of a NAR's file before it is sent.</summary>
    public Func<byte[], byte[]> Twist { get; set; } = file => file;

    public static async Task<FakeFarm> StartAsync(string name)
    {
        var farm = new FakeFarm(name);
        await farm.ListenAsync();
        return farm;
    }

    /// <summary>The path of an output in Guix's store.</summary>
    public static StorePath PathOf(TestOutput output) => output.Path.In(Store.Guix);

    /// <summary>Serves an output under its path in Guix's store.</summary>
    /// <param name="output">The output.</param>
    /// <param name="change">What is made of the narinfo, signed and all.</param>
    /// <param name="signer">Signs in place of the farm's key.</param>
    /// <param name="compressions">How its file can be had.</param>
    public void Add(TestOutput output, Func<string, string>? change = null, GuixFarmKey? signer = null, params string[] compressions)
    {
        var said = output.Statement;
        var head = ChangeHead(GuixNarInfoText.Head(
            PathOf(output), said.NarHash, said.NarSize, said.References.Select(reference => reference.In(Store.Guix)))
            + $"Deriver: {_deriver}-{said.Path.Name}.drv\n"); // builders name different ones for one output
        var text = new StringBuilder(head + (signer ?? Key).Sign(head));
        foreach (var compression in compressions is [] ? ["gzip", "zstd", "none"] : compressions)
        {
            var url = $"nar/{(compression is "none" ? "" : $"{compression}/")}{Uri.EscapeDataString($"{said.Path}")}";
            text.Append("URL: ").Append(url).Append("\nCompression: ").Append(compression).Append('\n');
            _files[$"/nar/{(compression is "none" ? "" : $"{compression}/")}{said.Path}"] = output.File(compression);
        }

        _narInfos[$"/{said.Path.Digest}.narinfo"] = (change ?? (whole => whole))(text.ToString());
    }

    /// <summary>Serves a file as it is.</summary>
    public void Serve(string path, byte[] bytes) => _files[path] = bytes;

    protected override async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        _requests.Enqueue($"{context.Request.Method} {path} {context.Request.Headers.Connection}".Trim());
        if (HttpMethods.IsGet(context.Request.Method) && _narInfos.TryGetValue(path, out var narInfo))
        {
            context.Response.ContentType = "application/x-nix-narinfo";
            context.Response.ContentLength = Encoding.UTF8.GetByteCount(narInfo);
            await context.Response.WriteAsync(narInfo);
        }
        else if (HttpMethods.IsGet(context.Request.Method) && _files.TryGetValue(path, out var file))
        {
            context.Response.ContentType = "application/x-nix-archive";
            await context.Response.Body.WriteAsync(Twist(file));
            await context.Response.Body.FlushAsync();
            var isLeftOpen = path.Count('/') is 2 && context.Request.Headers.Connection != "close";
            await Task.Delay(isLeftOpen ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, context.RequestAborted);
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }
}
