using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Signals that an upstream does not provide a NAR.</summary>
/// <param name="fault"><see cref="NarFault.Gone"/> if the upstream answered so, else <see cref="NarFault.Unreachable"/>.</param>
internal sealed class NoNarException(NarFault fault, string message) : IOException(message)
{
    public NarFault Fault => fault;

    /// <summary>The fault reported to the upstream's health; null when the answer reveals nothing about it.</summary>
    public UpstreamFault? Cause { get; init; }
}

/// <summary>One upstream response for a file, from an offset on. Ended by a silence longer than the upstream's limit.</summary>
internal sealed class NarConnection : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly Stream _body;
    private readonly CancellationTokenSource _end; // not disposed: the timer may fire late
    private readonly ITimer _silence;

    private NarConnection(HttpResponseMessage response, Stream body, CancellationTokenSource end, ITimer silence) =>
        (_response, _body, _end, _silence) = (response, body, end, silence);

    /// <summary>The Content-Encoding of the body, in addition to the file's own compression.</summary>
    public string Encoding { get; private init; } = NarCompression.None;

    /// <summary>Offset in the file at which the body begins.</summary>
    public long Start { get; private init; }

    /// <summary>Number of bytes from there on; null when unknown.</summary>
    public long? Length => _response.Content.Headers.ContentLength;

    /// <summary>The strong entity tag; null without one.</summary>
    public EntityTagHeaderValue? Tag => _response.Headers.ETag is { IsWeak: false } tag ? tag : null;

    /// <summary>Whether the connection was ended for silence.</summary>
    public bool IsSilent => _end.IsCancellationRequested;

    /// <summary>Requests a file.</summary>
    /// <param name="candidate">The upstream and its file.</param>
    /// <param name="offset">Offset of the first byte requested.</param>
    /// <param name="tag">Expected entity tag, if the same upstream has named one.</param>
    /// <param name="cancellation">Cancels the request, but not the reading that follows.</param>
    /// <exception cref="NoNarException">The upstream does not provide the file.</exception>
    /// <exception cref="HttpRequestException">The upstream cannot be reached.</exception>
    public static async Task<NarConnection> OpenAsync(
        NarCandidate candidate, long offset, EntityTagHeaderValue? tag, TimeProvider time, CancellationToken cancellation)
    {
        var end = new CancellationTokenSource();
        var silence = time.CreateTimer(_ => end.Cancel(), null, candidate.Upstream.Options.NarDeadline, Timeout.InfiniteTimeSpan);
        HttpResponseMessage? response = null;
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, cancellation);
            using var request = Upstream.Request(candidate.NarInfo, candidate.Address);
            (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionOrLower);
            if (offset > 0)
            {
                request.Headers.Range = new RangeHeaderValue(offset, null);
                request.Headers.IfRange = tag is null ? null : new RangeConditionHeaderValue(tag);
            }

            response = await candidate.Upstream.Http.SendAsync(request, either.Token);
            var (start, encoding) = Judge(response, offset);
            var body = await response.Content.ReadAsStreamAsync(either.Token);
            return new NarConnection(response, body, end, silence) { Start = start, Encoding = encoding };
        }
        catch (Exception exception)
        {
            response?.Dispose();
            silence.Dispose();
            Note(candidate.Upstream, exception, cancellation);
            var wasSilent = end.IsCancellationRequested && exception is OperationCanceledException && !cancellation.IsCancellationRequested;
            throw wasSilent ? new NoNarException(NarFault.Unreachable, "no answer in time") : exception;
        }
    }

    /// <summary>Reads on; null when the connection broke or fell silent.</summary>
    public async ValueTask<int?> TryReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            using var gone = cancellation.UnsafeRegister(end => ((CancellationTokenSource)end!).Cancel(), _end);
            return await _body.ReadAsync(buffer, _end.Token);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return null;
        }
    }

    /// <summary>Ends the connection after this time, unless called again before.</summary>
    public void Limit(TimeSpan silence) => _silence.Change(silence, Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _silence.Dispose();
        _response.Dispose();
        _body.Dispose();
    }

    /// <summary>Reports to the upstream's health why it gave no NAR. A cancelled or throttled request reveals nothing about it.</summary>
    private static void Note(Upstream upstream, Exception exception, CancellationToken cancellation)
    {
        var fault = exception switch
        {
            _ when cancellation.IsCancellationRequested => null,
            UpstreamBusyException => null,
            NoNarException none => none.Cause,
            HttpRequestException or IOException or OperationCanceledException => UpstreamFaultException.FaultOf(exception),
            _ => null,
        };
        if (fault is not null)
        {
            upstream.NoteNarFailure(fault);
        }
    }

    private static (long Start, string Encoding) Judge(HttpResponseMessage response, long offset)
    {
        var status = (int)response.StatusCode;
        if (!response.IsSuccessStatusCode)
        {
            var isGone = status is >= 400 and < 500 and not (408 or 425 or 429);
            throw new NoNarException(isGone ? NarFault.Gone : NarFault.Unreachable, $"HTTP {status}")
            {
                Cause = UpstreamFault.OfStatus(status) ?? new UpstreamFault(UpstreamFailure.NarMissing),
            };
        }

        var start = StartOf(response, offset);
        var encoding = NarCompression.OfContentEncoding(response.Content.Headers.ContentEncoding);
        var isUsable = status is not (204 or 205) && start <= offset && encoding is not null
            && (offset is 0 || encoding is NarCompression.None);
        return isUsable ? (start, encoding!) : throw new NoNarException(NarFault.Gone, $"HTTP {status} with an unusable body");
    }

    /// <summary>Reads the body's start offset from <c>Content-Range</c>, in any spelling. An unreadable one matters only to a request
    /// for a rest.</summary>
    private static long StartOf(HttpResponseMessage response, long offset)
    {
        var unknown = offset is 0 ? 0 : long.MaxValue;
        if (response.Content.Headers.ContentRange?.From is { } from)
        {
            return from;
        }

        if (!response.Content.Headers.TryGetValues("Content-Range", out var values))
        {
            return response.StatusCode is HttpStatusCode.PartialContent ? unknown : 0;
        }

        var text = string.Concat(values);
        var begin = text.AsSpan().IndexOfAnyInRange('0', '9');
        var digits = begin < 0 ? default : text.AsSpan(begin);
        var length = digits.IndexOfAnyExceptInRange('0', '9');
        return long.TryParse(length < 0 ? digits : digits[..length], out var start) ? start : unknown;
    }
}
