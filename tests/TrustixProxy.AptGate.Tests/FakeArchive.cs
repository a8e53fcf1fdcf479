using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using TrustixProxy.Testing;

namespace TrustixProxy.AptGate.Tests;

/// <summary>A way in which an archive, or whoever speaks for it, misbehaves.</summary>
public enum ArchiveLie
{
    None,

    /// <summary>The last byte of each file is another one.</summary>
    FlippedLastByte,

    /// <summary>The connection breaks in the middle of a file, each time it is asked for.</summary>
    Cut,

    /// <summary>The connection breaks in the middle of a file the first time it is asked for.</summary>
    CutOnce,

    /// <summary>The connection breaks once, and later the file comes from its start, whatever range is asked for.</summary>
    CutOnceWithoutRanges,

    /// <summary>The file without its length.</summary>
    Chunked,

    /// <summary>Half of the file, and then nothing until <see cref="FakeArchive.Go"/>.</summary>
    Halt,

    /// <summary>A redirect to another place of this archive.</summary>
    Redirect,

    /// <summary>A redirect to the metadata service of a cloud.</summary>
    RedirectToMetadata,

    /// <summary>503 to everything.</summary>
    Unavailable,

    /// <summary>204, as if there were nothing to say.</summary>
    NoContent,

    /// <summary>304 to everybody, whatever they have.</summary>
    NotModified,

    /// <summary>Only a part of the file, which nobody has asked for.</summary>
    UnaskedPart,
}

/// <summary>An archive of Debian packages on loopback. It knows ranges and times of the last change.</summary>
public sealed class FakeArchive : FakeServer
{
    private readonly ConcurrentDictionary<string, bool> _cut = new();

    private FakeArchive()
    {
    }

    public static DateTimeOffset ModifiedAt { get; } = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Its files by path, as it stands in requests: <c>/dists/sid/InRelease</c>.</summary>
    public ConcurrentDictionary<string, byte[]> Files { get; } = new();

    /// <summary>All requests: method and target.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    public ArchiveLie Lie { get; set; }

    /// <summary>Ends a halt.</summary>
    public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static async Task<FakeArchive> StartAsync()
    {
        var archive = new FakeArchive();
        await archive.ListenAsync();
        return archive;
    }

    /// <summary>How often a file was asked for.</summary>
    public int CountOf(string path) => Requests.Count(request => request.Split(' ')[1] == path);

    protected override async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        Requests.Enqueue($"{context.Request.Method} {path}");
        var isMoved = path.StartsWith("/moved", StringComparison.Ordinal);
        var isRedirect = Lie is ArchiveLie.Redirect or ArchiveLie.RedirectToMetadata && !isMoved;
        if (Lie is ArchiveLie.Unavailable or ArchiveLie.NoContent or ArchiveLie.NotModified || isRedirect)
        {
            context.Response.StatusCode = isRedirect ? 302 : Lie switch
            {
                ArchiveLie.NoContent => 204,
                ArchiveLie.NotModified => 304,
                _ => 503,
            };
            context.Response.Headers.Location = Lie switch
            {
                ArchiveLie.Redirect => $"{Url}moved{path}",
                ArchiveLie.RedirectToMetadata => "http://169.254.169.254/latest",
                _ => default,
            };
            return;
        }

        if (!Files.TryGetValue(isMoved ? path["/moved".Length..] : path, out var file))
        {
            context.Response.StatusCode = 404;
            return;
        }

        await SendAsync(context, path, file);
    }

    private async Task SendAsync(HttpContext context, string path, byte[] file)
    {
        var (request, response) = (new RequestHeaders(context.Request.Headers), context.Response);
        response.GetTypedHeaders().LastModified = ModifiedAt;
        if (request.IfModifiedSince >= ModifiedAt)
        {
            response.StatusCode = 304;
            return;
        }

        var bytes = file.ToArray();
        bytes[^1] ^= (byte)(Lie is ArchiveLie.FlippedLastByte ? 1 : 0);
        var from = Lie is ArchiveLie.UnaskedPart ? 4
            : Lie is ArchiveLie.CutOnceWithoutRanges || (request.IfRange?.LastModified is { } time && time != ModifiedAt) ? 0
            : (int)(request.Range?.Ranges.Single().From ?? 0);
        if (from >= bytes.Length)
        {
            (response.StatusCode, response.Headers.ContentRange) = (416, $"bytes */{bytes.Length}");
            return;
        }

        if (from > 0)
        {
            (response.StatusCode, response.Headers.ContentRange) = (206, $"bytes {from}-{bytes.Length - 1}/{bytes.Length}");
        }

        response.ContentLength = Lie is ArchiveLie.Chunked ? null : bytes.Length - from;
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        var isCut = Lie is ArchiveLie.Cut || (Lie is ArchiveLie.CutOnce or ArchiveLie.CutOnceWithoutRanges && _cut.TryAdd(path, true));
        var isPart = isCut || Lie is ArchiveLie.Halt;
        var middle = isPart ? from + ((bytes.Length - from) / 2) : bytes.Length;
        await response.Body.WriteAsync(bytes.AsMemory(from, middle - from));
        await response.Body.FlushAsync();
        if (Lie is ArchiveLie.Halt)
        {
            await Go.Task.WaitAsync(context.RequestAborted);
            await response.Body.WriteAsync(bytes.AsMemory(middle));
        }
        else if (isCut)
        {
            context.Abort();
        }
    }
}
