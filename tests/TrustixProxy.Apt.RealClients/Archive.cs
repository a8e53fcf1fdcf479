using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;

namespace TrustixProxy.Apt.RealClients;

/// <summary>Serves an archive's folder over HTTP, and does to what passes what a test tells it.</summary>
internal sealed class Archive : FakeServer
{
    private readonly string _folder;
    private readonly ConcurrentQueue<string> _requests = new();

    private Archive(string folder) => _folder = folder;

    /// <summary>The paths that were asked for, in order.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>What becomes of a file's bytes.</summary>
    public Func<string, byte[], byte[]> Change { get; set; } = (_, bytes) => bytes;

    /// <summary>How bytes are sent; null for as fast as they can be.</summary>
    public Func<HttpContext, byte[], Task>? Send { get; set; }

    /// <summary>Where a request for a path is sent instead; null for nowhere.</summary>
    public Func<string, Uri?> Redirect { get; set; } = _ => null;

    public static async Task<Archive> StartAsync(ArchiveFolder folder)
    {
        var archive = new Archive(folder.Path);
        await archive.ListenAsync();
        return archive;
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        _requests.Enqueue(path);
        var file = Path.Combine(_folder, path.TrimStart('/'));
        if (Redirect(path) is { } elsewhere)
        {
            context.Response.Redirect(elsewhere.ToString());
        }
        else if (!File.Exists(file))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
        else
        {
            var bytes = Change(path, await File.ReadAllBytesAsync(file, context.RequestAborted));
            await (Send is null
                ? Results.Bytes(bytes, enableRangeProcessing: true, lastModified: File.GetLastWriteTimeUtc(file)).ExecuteAsync(context)
                : Send(context, bytes));
        }
    }
}
