using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.FrontDoor;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Passes on build logs of upstreams. Nobody vouches for a log, so it is marked as unverified; it is bounded, and plain
/// text.</summary>
/// <param name="upstreams">The upstreams that are asked.</param>
/// <param name="deadline">Maximum wait for an upstream's answer, and for its next bytes.</param>
/// <param name="clients">Limits on slow clients.</param>
/// <remarks>All upstreams are asked at once; the first by priority that has the log sends it. A page (HTML) is no log: servers answer with
/// one to addresses that they do not know. A log that breaks off, or is too long, ends with a broken connection.</remarks>
internal sealed class BuildLogs(ImmutableArray<Upstream> upstreams, TimeSpan deadline, FrontDoorOptions clients, TimeProvider time)
{
    /// <summary>Maximum length of a log, decoded.</summary>
    internal const long MaxSize = 256L << 20;

    private const string Suffix = ".drv";

    /// <summary>Maximum time for a whole log.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromMinutes(10);

    /// <summary>Answers with the log of a derivation; in GNU Guix also of an output.</summary>
    public async Task AnswerAsync(HttpContext context, StorePath of)
    {
        await Task.Yield(); // do not block the thread that read the request
        Requester.Follow(context);
        using var late = new CancellationTokenSource(MaxTime, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        await using var watched = SlowClientGuard.Watch(context, clients, time);
        var name = NameOf(of);
        var opening = upstreams.Where(upstream => upstream.Options.Takes(name) && !upstream.IsDown)
            .OrderBy(upstream => upstream.Options.Priority)
            .Select(upstream => OpenAsync(upstream, of, end.Token)).ToList();
        try
        {
            foreach (var next in opening)
            {
                if (await next is { } log && await TrySendAsync(context, log, end.Token))
                {
                    return;
                }
            }

            await context.WriteTextAsync(StatusCodes.Status404NotFound, $"{of}: no upstream has its build log\n");
        }
        finally
        {
            await end.CancelAsync();
            opening.ForEach(next => _ = DropAsync(next));
        }
    }

    /// <summary>The path by whose name upstreams are chosen: the output that a derivation is named after.</summary>
    private static StorePath NameOf(StorePath of) =>
        $"{of}" is var text && text.EndsWith(Suffix, StringComparison.Ordinal)
            && StorePath.TryParse(text.AsSpan(..^Suffix.Length), of.Store, out var output, out _) ? output : of;

    private async Task<UpstreamFile?> OpenAsync(Upstream upstream, StorePath of, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(deadline, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        try
        {
            var file = await upstream.OpenAsync($"log/{Uri.EscapeDataString($"{of}")}", end.Token);
            if (file is not { IsPage: true } and not { Length: > MaxSize })
            {
                return file;
            }

            file.Dispose();
        }
        catch (Exception exception) when (IsOfUpstream(exception))
        {
            // It has no log for this request.
        }

        return null;
    }

    /// <summary>Sends a log; false when its first bytes do not come, so that another upstream's may be sent.</summary>
    private async Task<bool> TrySendAsync(HttpContext context, UpstreamFile log, CancellationToken cancellation)
    {
        var buffer = new byte[64 << 10];
        var sent = 0L;
        try
        {
            var read = await ReadAsync(log, buffer, cancellation);
            WriteHead(context.Response, log.Length);
            while (read > 0 && !HttpMethods.IsHead(context.Request.Method))
            {
                sent += read;
                if (sent > MaxSize)
                {
                    context.Abort();
                    break;
                }

                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), cancellation);
                read = await ReadAsync(log, buffer, cancellation);
            }
        }
        catch (Exception exception) when (IsOfUpstream(exception))
        {
            if (sent is 0)
            {
                return false;
            }

            context.Abort(); // a cut log must not look like a whole one
        }

        return true;
    }

    private async Task<int> ReadAsync(UpstreamFile log, byte[] buffer, CancellationToken cancellation)
    {
        using var silent = new CancellationTokenSource(deadline, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(silent.Token, cancellation);
        return await log.Content.ReadAsync(buffer, end.Token);
    }

    private static void WriteHead(HttpResponse response, long? length)
    {
        response.ContentType = AnswerHeaders.TextType;
        response.ContentLength = length;
        response.Mark(AnswerHeaders.Unverified);
    }

    private static async Task DropAsync(Task<UpstreamFile?> opening) => (await opening)?.Dispose();

    private static bool IsOfUpstream(Exception exception) =>
        exception is HttpRequestException or IOException or InvalidDataException or OperationCanceledException;
}
