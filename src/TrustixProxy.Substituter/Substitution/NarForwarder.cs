using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.IO.Metering;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Serves an agreed NAR from the store, or from a download shared by its clients.</summary>
/// <param name="finder">Finds upstreams for HEAD requests.</param>
/// <param name="store">The NAR store; null if disabled.</param>
/// <param name="deadline">Maximum time per request spent on failing upstreams.</param>
internal sealed class NarForwarder(
    NarDownloads downloads,
    NarFinder finder,
    NarStore? store,
    NarHistory given,
    IHttpForwarder forwarder,
    TimeSpan deadline,
    TimeProvider time)
    : IAsyncDisposable
{
    /// <summary>Placeholder address for YARP of the in-process source.</summary>
    private const string Here = "http://delivery.invalid/";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Covers the wait before a late range of a large file. <see cref="NarSource"/> detects silent upstreams.</summary>
    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromHours(1) };

    public ValueTask DisposeAsync() => downloads.DisposeAsync();

    /// <summary>Answers the request, or returns why not: whether an upstream that may have the NAR failed.</summary>
    /// <param name="start">Arrival of the request, as a timestamp of the clock.</param>
    public async Task<ForwardResult> ForwardAsync(HttpContext context, NarOrder order, long start)
    {
        using var step = ProxyMeter.Step("nar", "path", order.Claim.Path.ToString());
        if (await ServeStoredAsync(context, order, Left(start) / 2))
        {
            return ForwardResult.Answered;
        }

        if (order.IsRevoked())
        {
            return ForwardResult.Revoked;
        }

        return await DeliverAsync(context, order, isApart: false)
            ?? await DeliverAsync(context, order, isApart: true)
            ?? ForwardResult.Absent;
    }

    /// <summary>Answers from a download. Null if its bytes are not those that the range refers to.</summary>
    /// <param name="isApart">Whether to start a new download, which prefers the bytes that the range refers to.</param>
    private async Task<ForwardResult?> DeliverAsync(HttpContext context, NarOrder order, bool isApart)
    {
        await using var delivery = downloads.Join(order, new RequestedRange(context.Request), isApart);
        while (await delivery.StartAsync(context.RequestAborted) is var state)
        {
            if (order.IsRevoked())
            {
                return ForwardResult.Revoked;
            }

            if (state is DeliveryState.Beyond && delivery.Body?.Length is { } length)
            {
                RequestedRange.Refuse(context.Response, length);
                return ForwardResult.Answered;
            }

            if (state is not DeliveryState.Ready)
            {
                var isStored = await ServeStoredAsync(context, order, TimeSpan.Zero);
                return isStored ? ForwardResult.Answered
                    : state is DeliveryState.OtherFile ? null
                    : state is DeliveryState.Absent ? ForwardResult.Absent
                    : ForwardResult.Unavailable;
            }

            context.Features.Set<IHttpUpgradeFeature>(null); // else YARP would upgrade to a protocol named by the client
            await forwarder.SendAsync(
                context, Here, DeliveryTransformer.Invoker, Config, new DeliveryTransformer(delivery), context.RequestAborted);
            if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            {
                return ForwardResult.Answered;
            }

            context.Response.Clear(); // refused before a byte was sent: the next upstream may have the right one
            if (!delivery.WasRejected)
            {
                return ForwardResult.Unavailable; // caused by the client
            }
        }

        return ForwardResult.Unavailable;
    }

    /// <summary>Opens a NAR, decompressed, for reading here: verified, and its last bytes come only after the verdict.</summary>
    /// <exception cref="IOException">No upstream has the NAR, or what was read is refused.</exception>
    public async Task<Stream> OpenAsync(NarOrder order, CancellationToken cancellation)
    {
        if (store is not null && order.MustMatch is null
            && await store.FindAsync(StoredNar.Of(order), deadline / 2, cancellation) is { } file)
        {
            return NarCompression.Open(order.Compression, File.OpenRead(file.Path));
        }

        var delivery = downloads.Join(order, RequestedRange.All);
        try
        {
            return await delivery.StartAsync(cancellation) is DeliveryState.Ready
                ? NarCompression.Open(order.Compression, delivery) : throw new IOException("no upstream has the agreed NAR");
        }
        catch
        {
            await delivery.DisposeAsync();
            throw;
        }
    }

    /// <summary>Answers a HEAD request with the headers of a GET, as far as known without the bytes.</summary>
    public async Task<ForwardResult> LookAsync(HttpContext context, NarOrder order, long start)
    {
        if (order.MustMatch is null && store?.SizeOf(StoredNar.Of(order)) is { } size)
        {
            RequestedRange.WriteHead(context.Response, size, ByteRange.All, isSameFile: true);
            return ForwardResult.Answered;
        }

        while (true)
        {
            var (candidates, hasFailed) = await finder.FindAsync(order, Left(start), context.RequestAborted);
            if (candidates is [var first, ..])
            {
                var length = order.Compression is NarCompression.None ? order.Claim.NarSize : (long?)null;
                RequestedRange.WriteHead(context.Response, length, ByteRange.All, first.IsSameFile);
                return ForwardResult.Answered;
            }

            if (!hasFailed || Left(start) <= Pause)
            {
                return hasFailed ? ForwardResult.Unavailable : ForwardResult.Absent;
            }

            await Task.Delay(Pause, time, context.RequestAborted);
        }
    }

    /// <summary>Answers from the store, if it has the file and verifies it in time. Unvouched files are verified each time.</summary>
    private async Task<bool> ServeStoredAsync(HttpContext context, NarOrder order, TimeSpan patience)
    {
        if (store is null || order.MustMatch is not null
            || await store.FindAsync(StoredNar.Of(order), patience, context.RequestAborted) is not { } file || order.IsRevoked())
        {
            return false;
        }

        if (!new RequestedRange(context.Request).TryResolve(file.Size, out var range))
        {
            RequestedRange.Refuse(context.Response, file.Size);
            return true;
        }

        RequestedRange.WriteHead(context.Response, file.Size, range, isSameFile: true);
        try
        {
            await context.Response.SendFileAsync(
                file.Path, range.Start, Math.Min(range.End, file.Size) - range.Start, context.RequestAborted);
            UpstreamMetrics.NarEnded(context.Response.ContentLength!.Value, isVerified: true);
            given.Add(context.Response.ContentLength!.Value, isVerified: true);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            if (context.RequestAborted.IsCancellationRequested)
            {
                return true;
            }

            store.Lose(StoredNar.Of(order), exception); // it was just evicted, or the disk is damaged
            if (context.Response.HasStarted)
            {
                context.Abort();
                return true;
            }

            context.Response.Clear();
            return false;
        }
    }

    private TimeSpan Left(long start) => deadline - time.GetElapsedTime(start);
}

/// <summary>How a forwarded request ended.</summary>
internal enum ForwardResult
{
    /// <summary>The client has its answer.</summary>
    Answered,

    /// <summary>No upstream has the NAR.</summary>
    Absent,

    /// <summary>An upstream that may have it failed.</summary>
    Unavailable,

    /// <summary>It was revoked before the answer began.</summary>
    Revoked,
}
