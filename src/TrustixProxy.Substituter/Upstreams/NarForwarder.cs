using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Operations;
using TrustixProxy.Substituter.Storage;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>A NAR that may be served: the agreed claim, and the bytes that the client's URL names.</summary>
/// <param name="Claim">What was agreed on.</param>
/// <param name="Compression">How the bytes are compressed.</param>
/// <param name="FileHash">Their SHA-256.</param>
/// <param name="MustMatch">The address that the content must have, where nobody vouches for the claim; null where somebody does.</param>
/// <param name="IsRevoked">Whether it is no longer served, whatever was decided: asked last, before the answer begins.</param>
internal sealed record NarOrder(OutputClaim Claim, string Compression, NixHash FileHash, ContentAddress? MustMatch, Func<bool> IsRevoked);

/// <summary>Serves an agreed NAR from the store, else from the upstreams, one after the other until one has it.</summary>
/// <param name="upstreams">The upstreams.</param>
/// <param name="marks">What is remembered of them.</param>
/// <param name="known">Files that need not be decompressed any more.</param>
/// <param name="store">NARs that are at hand; null when none are kept.</param>
/// <param name="forwarder">YARP's.</param>
/// <param name="onRefused">Told of each NAR that could not be had, or was refused.</param>
/// <param name="atOnce">How many NARs are decompressed at once; others wait in turn, for one deadline at the most.</param>
/// <param name="deadline">How long a request is held for an upstream that fails.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where refusals are told.</param>
internal sealed class NarForwarder(
    IReadOnlyList<Upstream> upstreams, UpstreamMarks marks, KnownFiles known, NarStore? store, IHttpForwarder forwarder, Action<NarOrder> onRefused, int atOnce, TimeSpan deadline, TimeProvider time, ILogger logger)
    : IDisposable
{
    /// <summary>How long upstreams are waited for that have not said yet what they have, once one has said that it has the very file.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(200);

    internal const string ContentType = "application/x-nix-nar";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>No answer begins after the deadline, but by less than this.</summary>
    private static readonly TimeSpan LeastLimit = TimeSpan.FromMilliseconds(100);

    /// <summary>Long enough for the silence before a late range of a large file; stalls are noticed by <see cref="ResumingStream"/>, and <see cref="NarAttempt.Late"/> bounds the wait for the answer's beginning.</summary>
    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromMinutes(15), Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };

    private readonly SemaphoreSlim _turns = new(atOnce);

    public void Dispose() => _turns.Dispose();

    /// <summary>Answers the request, or leaves it unanswered: then the result says whether an upstream failed that may have had the NAR.</summary>
    /// <param name="context">The request.</param>
    /// <param name="order">What is wanted.</param>
    /// <param name="start">When the request came, as a timestamp of the clock: the deadline is counted from there.</param>
    public async Task<ForwardResult> ForwardAsync(HttpContext context, NarOrder order, long start)
    {
        using var step = ProxyMeter.Step("nar", "path", order.Claim.Path.ToString());
        using var turn = new Turn(_turns, deadline, time);
        while (true)
        {
            if (await ServeStoredAsync(context, order, Left(start) / 2))
            {
                return ForwardResult.Answered;
            }

            if (order.IsRevoked())
            {
                return ForwardResult.Revoked;
            }

            var (candidates, hasFailed) = await FindAsync(order, Left(start), context.RequestAborted);
            var tooShort = new List<long>();
            foreach (var (i, candidate) in candidates.Index())
            {
                var file = await KnownFileOfAsync(candidate, order);
                start += file is null && Decodes(candidate) ? await turn.TakeAsync(context.RequestAborted) : 0;
                var (isAnswered, attempt) = await TryAsync(context, order, candidate, NextOf(candidates, candidate), file, Left(start) / (candidates.Count - i));
                if (attempt.IsOtherThanKnown && !isAnswered)
                {
                    start += await turn.TakeAsync(context.RequestAborted);
                    (isAnswered, attempt) = await TryAsync(context, order, candidate with { IsSameFile = false }, [], null, Left(start) / (candidates.Count - i));
                }

                if (isAnswered)
                {
                    return ForwardResult.Answered;
                }

                if (order.IsRevoked())
                {
                    return ForwardResult.Revoked;
                }

                hasFailed |= attempt.Fault is NarFault.Unreachable or NarFault.BrokenOff;
                tooShort.AddRange(attempt.TooShortForRange is { } length ? [length] : []);
            }

            if (tooShort.Count > 0 && tooShort.Count == candidates.Count)
            {
                RequestedRange.Refuse(context.Response, tooShort.Max());
                return ForwardResult.Answered;
            }

            if (!hasFailed || Left(start) <= Pause)
            {
                onRefused(order); // the next narinfo may name bytes that can be had
                return hasFailed ? ForwardResult.Unavailable : ForwardResult.Absent;
            }

            await Task.Delay(Pause, time, context.RequestAborted);
        }
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
            var (candidates, hasFailed) = await FindAsync(order, Left(start), context.RequestAborted);
            if (candidates is [var first, ..])
            {
                RequestedRange.WriteHead(context.Response, order.Compression is NarCompression.None ? order.Claim.NarSize : null, ByteRange.All, first.IsSameFile);
                return ForwardResult.Answered;
            }

            if (!hasFailed || Left(start) <= Pause)
            {
                return hasFailed ? ForwardResult.Unavailable : ForwardResult.Absent;
            }

            await Task.Delay(Pause, time, context.RequestAborted);
        }
    }

    /// <summary>Answers from the store, if it has the file and knows in time that it is the right one. What nobody vouches for is looked at anew each time.</summary>
    private async Task<bool> ServeStoredAsync(HttpContext context, NarOrder order, TimeSpan patience)
    {
        if (store is null || order.MustMatch is not null || await store.FindAsync(StoredNar.Of(order), patience, context.RequestAborted) is not { } file || order.IsRevoked())
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
            await context.Response.SendFileAsync(file.Path, range.Start, Math.Min(range.End, file.Size) - range.Start, context.RequestAborted);
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

    /// <summary>Who may have the NAR, best first: not marked bad, not down, the very file, no decompression, by priority.</summary>
    private async Task<(List<NarCandidate> Candidates, bool HasFailed)> FindAsync(NarOrder order, TimeSpan limit, CancellationToken cancellation)
    {
        var digest = order.Claim.Path.Digest;
        var (candidates, hasFailed) = (new List<NarCandidate>(), false);
        var asked = upstreams.Where(upstream => upstream.Options.Takes(order.Claim.Path))
            .Select(async upstream => (upstream, Answer: await upstream.LookAsync(digest, cancellation))).ToList();
        var grace = Task.Delay(limit > LeastLimit ? limit : LeastLimit, time, cancellation);
        while (asked.Count > 0 && await Task.WhenAny([.. asked, grace]) is Task<(Upstream, UpstreamAnswer)> done)
        {
            asked.Remove(done);
            var (upstream, answer) = await done;
            hasFailed |= answer is UpstreamAnswer.Failed;
            if (answer is UpstreamAnswer.Found found
                && NarCandidate.Of(upstream, found.NarInfo, order.Claim.NarHash, order.Compression, order.FileHash, marks) is { } candidate)
            {
                candidates.Add(candidate);
                grace = candidate.IsSameFile && !marks.IsBad(upstream, digest) ? Task.Delay(Grace, time, cancellation) : grace;
            }
        }

        cancellation.ThrowIfCancellationRequested();
        var ranked = candidates
            .OrderBy(candidate => marks.IsBad(candidate.Upstream, digest))
            .ThenBy(candidate => candidate.Upstream.IsDown)
            .ThenBy(candidate => !candidate.IsSameFile)
            .ThenBy(candidate => candidate.Decompress)
            .ThenBy(candidate => candidate.Upstream.Options.Priority);
        return ([.. ranked], hasFailed || asked.Count > 0);
    }

    /// <summary>Those that say they have the same file, and can go on where this one breaks off.</summary>
    private static List<NarCandidate> NextOf(List<NarCandidate> candidates, NarCandidate current) =>
        current.NarInfo.FileHash is null ? [] : [.. candidates.Where(other => other != current && other.NarInfo.FileHash == current.NarInfo.FileHash && other.NarInfo.Compression == current.NarInfo.Compression)];

    /// <summary>The URL's file, if the candidate says it has it and it is known to hold the NAR. Nothing is taken as known where the content has to be looked at.</summary>
    private ValueTask<KnownFile?> KnownFileOfAsync(NarCandidate candidate, NarOrder order) =>
        Decodes(candidate) && candidate is { IsSameFile: true, Decompress: false } && order.MustMatch is null ? known.FindAsync(order.Claim.NarHash, order.Compression, order.FileHash) : default;

    private static bool Decodes(NarCandidate candidate) => candidate.NarInfo.Compression is not NarCompression.None;

    /// <summary>Forwards from one candidate; true when the client has been answered, be it by a broken connection.</summary>
    private async Task<(bool IsAnswered, NarAttempt Attempt)> TryAsync(HttpContext context, NarOrder order, NarCandidate candidate, List<NarCandidate> next, KnownFile? file, TimeSpan limit)
    {
        using var attempt = new NarAttempt(candidate, order, next, file, context.Request, Refuse, limit > LeastLimit ? limit : LeastLimit, time)
        {
            OnVerified = verified => known.Add(order.Claim.NarHash, order.Compression, verified),
            Store = store,
        };
        return (await TryAsync(context, attempt), attempt);
    }

    private async Task<bool> TryAsync(HttpContext context, NarAttempt attempt)
    {
        if (!attempt.CanAnswer)
        {
            return false;
        }

        context.Features.Set<IHttpUpgradeFeature>(null); // else YARP would ask the upstream to change to a protocol that the client names
        using var end = CancellationTokenSource.CreateLinkedTokenSource(attempt.Late, context.RequestAborted);
        await forwarder.SendAsync(context, attempt.Candidate.Address.GetLeftPart(UriPartial.Authority), attempt.Candidate.Upstream.Http, Config, attempt, end.Token);
        if (context.RequestAborted.IsCancellationRequested)
        {
            return true;
        }

        if (!context.Response.HasStarted && !attempt.Order.IsRevoked())
        {
            attempt.GiveUp();
        }

        if (attempt.HasOtherFile)
        {
            marks.Mark(attempt.Candidate.Upstream, attempt.Order.Claim.Path.Digest, NarFault.FileHash);
        }

        if (context.Response.HasStarted)
        {
            return true;
        }

        context.Response.Clear();
        return false;
    }

    /// <summary>Remembers that an upstream's NAR was refused: the next try goes elsewhere, and the next narinfo names another one if there is one.</summary>
    private void Refuse(NarAttempt attempt, NarFault fault)
    {
        var (upstream, path) = (attempt.Candidate.Upstream, attempt.Order.Claim.Path);
        upstream.Forget(path.Digest);
        marks.Mark(upstream, path.Digest, fault);
        UpstreamMetrics.NarRefused(upstream.Options.Name, fault);
        logger.NarRefused(path.ToString(), upstream.Options.Name, fault);
        if (fault is not (NarFault.Unreachable or NarFault.BrokenOff))
        {
            onRefused(attempt.Order);
        }
    }
}

/// <summary>A request's turn to decompress: taken once, and kept until its end.</summary>
/// <param name="turns">How many there are.</param>
/// <param name="patience">How long it is waited for; who has waited so long goes on without. Clients that read slowly, or not at all, keep theirs: they must not keep all others from getting anything.</param>
/// <param name="time">The clock.</param>
internal sealed class Turn(SemaphoreSlim turns, TimeSpan patience, TimeProvider time) : IDisposable
{
    private bool _isTaken, _hasWaited;

    /// <summary>Waits for it; gives how long that took, in the clock's ticks.</summary>
    public async ValueTask<long> TakeAsync(CancellationToken cancellation)
    {
        if (_hasWaited)
        {
            return 0;
        }

        var start = time.GetTimestamp();
        _isTaken = await turns.WaitAsync(patience, cancellation);
        _hasWaited = true;
        return time.GetTimestamp() - start;
    }

    public void Dispose()
    {
        if (_isTaken)
        {
            turns.Release();
        }
    }
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
