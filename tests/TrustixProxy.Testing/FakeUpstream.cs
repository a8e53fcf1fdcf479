using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.Testing;

/// <summary>A way in which a binary cache, or whoever speaks for it, misbehaves.</summary>
public enum UpstreamLie
{
    None,

    /// <summary>503 to everything.</summary>
    Unavailable,

    /// <summary>404 to everything.</summary>
    Absent,
    Huge,
    Drip,
    Hang,
    Reset,
    Html,

    /// <summary>A byte in the middle of the NAR's file is another one.</summary>
    FlippedByte,

    /// <summary>The last byte of the NAR's file is another one.</summary>
    FlippedLastByte,

    /// <summary>The file ends in the middle, as if that were all.</summary>
    ShortFile,

    /// <summary>Bytes follow the file.</summary>
    LongFile,

    /// <summary>The connection breaks in the middle of the file.</summary>
    CutFile,

    /// <summary>The connection breaks in the middle of the file the first time it is asked for.</summary>
    CutOnce,

    /// <summary>The file of another path.</summary>
    OtherFile,

    /// <summary>The NAR's file is not there, though its narinfo is.</summary>
    NoFile,

    /// <summary>The file without its length, in chunks.</summary>
    Chunked,
}

/// <summary>A binary cache that serves what it is given, or misbehaves on demand. It knows ranges.</summary>
public sealed class FakeUpstream : FakeServer
{
    private readonly ConcurrentQueue<string> _requests = new();
    private int _probes;
    private readonly ConcurrentDictionary<string, string> _narInfos = new();
    private readonly ConcurrentDictionary<string, byte[]> _files = new();
    private readonly ConcurrentDictionary<string, bool> _cut = new();

    private FakeUpstream()
    {
    }

    /// <summary>How it misbehaves from now on.</summary>
    public UpstreamLie Lie { get; set; }

    /// <summary>Whether ranges are served.</summary>
    public bool KnowsRanges { get; set; } = true;

    /// <summary>Answers instead, when it gives true.</summary>
    public Func<HttpContext, Task<bool>>? Intercept { get; set; }

    /// <summary>What was asked for, in order: <c>GET /path range</c>; without probes.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>How often it was probed (<c>GET /nix-cache-info</c>).</summary>
    public int Probes => Volatile.Read(ref _probes);

    public static async Task<FakeUpstream> StartAsync()
    {
        var upstream = new FakeUpstream();
        await upstream.ListenAsync();
        return upstream;
    }

    /// <summary>Serves an output.</summary>
    /// <param name="output">The output.</param>
    /// <param name="compression">How its file is compressed.</param>
    /// <param name="change">What is made of its narinfo's text.</param>
    public void Add(TestOutput output, string compression = "none", Func<string, string>? change = null)
    {
        var narInfo = output.NarInfo(compression);
        _narInfos[output.Path.Digest.ToString()] = (change ?? (text => text))(narInfo.ToString());
        _files["/" + narInfo.Url] = output.File(compression);
    }

    /// <summary>Serves a file.</summary>
    public void AddFile(string path, byte[] bytes) => _files[path] = bytes;

    protected override async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path is "/nix-cache-info")
        {
            Interlocked.Increment(ref _probes);
        }
        else
        {
            _requests.Enqueue($"{context.Request.Method} {path} {context.Request.Headers.Range}".Trim());
        }

        if (Intercept is { } intercept && await intercept(context))
        {
            return;
        }

        if (Lie is UpstreamLie.Unavailable or UpstreamLie.Absent)
        {
            context.Response.StatusCode = Lie is UpstreamLie.Absent ? StatusCodes.Status404NotFound
                : StatusCodes.Status503ServiceUnavailable;
        }
        else if (await Misbehaviour.TryAsync(
            context, Enum.TryParse<Misbehaviour.Kind>(Lie.ToString(), out var kind) ? kind : Misbehaviour.Kind.None))
        {
            return;
        }
        else if (path.EndsWith(".narinfo", StringComparison.Ordinal) && _narInfos.TryGetValue(path[1..^".narinfo".Length], out var text))
        {
            context.Response.ContentType = "text/x-nix-narinfo";
            await context.Response.Body.WriteAsync(Encoding.Latin1.GetBytes(text));
        }
        else if (_files.TryGetValue(path, out var file) && Lie is not UpstreamLie.NoFile)
        {
            await SendAsync(context, path, Twist(path, file));
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }

    private byte[] Twist(string path, byte[] file)
    {
        var twisted = (byte[])file.Clone();
        switch (Lie)
        {
            case UpstreamLie.FlippedByte:
                twisted[file.Length / 2] ^= 1;
                break;
            case UpstreamLie.FlippedLastByte:
                twisted[^1] ^= 1;
                break;
            case UpstreamLie.ShortFile:
                return file[..(file.Length / 2)];
            case UpstreamLie.LongFile:
                return [.. file, .. Enumerable.Repeat((byte)1, 1000)]; // zeros would be padding, which xz and gzip allow
            case UpstreamLie.OtherFile:
                return _files.Where(other => !other.Value.SequenceEqual(file)).OrderBy(other => IsOfSamePath(other.Key, path))
                    .First().Value;
        }

        return twisted;
    }

    private static bool IsOfSamePath(string one, string other) => one.Split('.')[0] == other.Split('.')[0];

    private async Task SendAsync(HttpContext context, string path, byte[] file)
    {
        var range = context.Request.Headers.Range.ToString();
        var start = KnowsRanges && range.StartsWith("bytes=", StringComparison.Ordinal)
            ? int.Parse(range["bytes=".Length..^1], System.Globalization.CultureInfo.InvariantCulture) : 0;
        if (start > 0)
        {
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {start}-{file.Length - 1}/{file.Length}";
        }

        context.Response.ContentLength = Lie is UpstreamLie.Chunked ? null : file.Length - start;
        var isCut = Lie is UpstreamLie.CutFile || (Lie is UpstreamLie.CutOnce && _cut.TryAdd(path, true));
        await context.Response.Body.WriteAsync(file.AsMemory(start..(isCut ? start + ((file.Length - start) / 2) : file.Length)));
        if (isCut)
        {
            await context.Response.Body.FlushAsync();
            await Task.Delay(50);
            context.Abort();
        }
    }
}
