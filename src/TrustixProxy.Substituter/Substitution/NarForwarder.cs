using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.IO.Metering;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Serves an agreed NAR from the store, else by a download that all who want it share.</summary>
/// <param name="downloads">The downloads.</param>
/// <param name="finder">Finds upstreams, for requests that want no bytes.</param>
/// <param name="store">NARs that are at hand; null when none are kept.</param>
/// <param name="forwarder">YARP's.</param>
/// <param name="deadline">How long a request is held for upstreams that fail.</param>
/// <param name="time">The clock.</param>
internal sealed class NarForwarder(
    NarDownloads downloads, NarFinder finder, NarStore? store, IHttpForwarder forwarder, TimeSpan deadline, TimeProvider time)
    : IAsyncDisposable
{
    /// <summary>What YARP is told as the address of what is in this process.</summary>
    private const string Here = "http://delivery.invalid/";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Long enough for the silence before a late range of a large file. Silent upstreams are noticed by
    /// <see cref="NarSource"/>.</summary>
    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromHours(1) };

    public ValueTask DisposeAsync() => downloads.DisposeAsync();

    /// <summary>Answers the request, or leaves it unanswered: then the result says whether an upstream failed that may have had the
    /// NAR.</summary>
    /// <param name="context">The request.</param>
    /// <param name="order">What is wanted.</param>
    /// <param name="start">When the request came, as a timestamp of the clock.</param>
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

    /// <summary>Answers from a download. Null when that brings the NAR in other bytes than the range is of.</summary>
    /// <param name="context">The request.</param>
    /// <param name="order">What is wanted.</param>
    /// <param name="isApart">Whether a new download begins. It looks first for the bytes that the range is of.</param>
    private async Task<ForwardResult?> DeliverAsync(HttpContext context, NarOrder order, bool isApart)
    {
        await using var delivery = downloads.Join(order, new RequestedRange(context.Request), isApart);
        while (await delivery.StartAsync(context.RequestAborted) is var state)
        {
            if (order.IsRevoked())
            {
                return ForwardResult.Revoked;
            }

            if (state is DeliveryState.Beyond)
            {
                RequestedRange.Refuse(context.Response, delivery.Body!.Length!.Value);
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

            context.Features.Set<IHttpUpgradeFeature>(null); // else YARP would change to a protocol that the client names
            await forwarder.SendAsync(
                context, Here, DeliveryTransformer.Invoker, Config, new DeliveryTransformer(delivery), context.RequestAborted);
            if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            {
                return ForwardResult.Answered;
            }

            context.Response.Clear(); // it was refused before a byte left: the next upstream's may be right
            if (delivery.Body?.Verdict is not { Fault: not null })
            {
                return ForwardResult.Unavailable; // the client's own doing
            }
        }

        return ForwardResult.Unavailable;
    }

    /// <summary>Answers a HEAD request as GET would begin, as far as can be said without the bytes.</summary>
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

    /// <summary>Answers from the store, if it has the file and knows in time that it is the right one. What nobody vouches for is looked at
    /// anew each time.</summary>
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
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            if (context.RequestAborted.IsCancellationRequested)
            {
                return true;
            }

            store.Lose(StoredNar.Of(order), exception); // it made room just now, or the disk is damaged
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

    /// <summary>An upstream failed that may have it.</summary>
    Unavailable,

    /// <summary>It was revoked before the answer began.</summary>
    Revoked,
}
