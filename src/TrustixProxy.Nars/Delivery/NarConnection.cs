using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Thrown where an upstream gives no NAR.</summary>
/// <param name="fault"><see cref="NarFault.Gone"/> where it has answered so, else <see cref="NarFault.Unreachable"/>.</param>
/// <param name="message">What it answered.</param>
internal sealed class NoNarException(NarFault fault, string message) : IOException(message)
{
    public NarFault Fault => fault;

    /// <summary>What the upstream's health is told; null where the answer says nothing of it.</summary>
    public UpstreamFault? Cause { get; init; }
}

/// <summary>One answer of an upstream for a file, from an offset on. A silence longer than the upstream's limit ends it.</summary>
internal sealed class NarConnection : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly Stream _body;
    private readonly CancellationTokenSource _end; // not disposed: the timer may fire late
    private readonly ITimer _silence;

    private NarConnection(HttpResponseMessage response, Stream body, CancellationTokenSource end, ITimer silence) =>
        (_response, _body, _end, _silence) = (response, body, end, silence);

    /// <summary>How its body is compressed beside the file's own compression.</summary>
    public string Encoding { get; private init; } = NarCompression.None;

    /// <summary>Where in the file its body begins.</summary>
    public long Start { get; private init; }

    /// <summary>How many bytes follow from there; null when that is not known.</summary>
    public long? Length => _response.Content.Headers.ContentLength;

    /// <summary>Its strong entity tag; null when it has none.</summary>
    public EntityTagHeaderValue? Tag => _response.Headers.ETag is { IsWeak: false } tag ? tag : null;

    /// <summary>Whether it was ended because it fell silent.</summary>
    public bool IsSilent => _end.IsCancellationRequested;

    /// <summary>Asks for a file.</summary>
    /// <param name="candidate">Where it is.</param>
    /// <param name="offset">From which byte on.</param>
    /// <param name="tag">Of which version, if the same upstream has named one.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the asking, and nothing after that.</param>
    /// <exception cref="NoNarException">It gives no such file.</exception>
    /// <exception cref="HttpRequestException">It cannot be reached.</exception>
    public static async Task<NarConnection> OpenAsync(
        NarCandidate candidate, long offset, EntityTagHeaderValue? tag, TimeProvider time, CancellationToken cancellation)
    {
        var end = new CancellationTokenSource();
        var silence = time.CreateTimer(_ => end.Cancel(), null, candidate.Upstream.Options.NarDeadline, Timeout.InfiniteTimeSpan);
        HttpResponseMessage? response = null;
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, cancellation);
            using var request = new HttpRequestMessage(HttpMethod.Get, candidate.Address)
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionOrLower
            };
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

    /// <summary>Reads on; null where it broke off or fell silent.</summary>
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

    /// <summary>Ends it after a time from now, unless that is set again before.</summary>
    public void Limit(TimeSpan silence) => _silence.Change(silence, Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _silence.Dispose();
        _response.Dispose();
        _body.Dispose();
    }

    /// <summary>Tells the upstream's health why it gave no NAR. That nobody waits any more, or that it may not be asked now, says nothing
    /// of it.</summary>
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

        var start = StartOf(response);
        var encoding = NarCompression.OfContentEncoding(response.Content.Headers.ContentEncoding);
        var isUsable = status is not (204 or 205) && start <= offset && encoding is not null
            && (offset is 0 || encoding is NarCompression.None);
        return isUsable ? (start, encoding!) : throw new NoNarException(NarFault.Gone, $"HTTP {status} with a body that does not fit");
    }

    /// <summary>The first byte of the body within the file, by what <c>Content-Range</c> says in any spelling.</summary>
    private static long StartOf(HttpResponseMessage response)
    {
        if (response.Content.Headers.ContentRange?.From is { } from)
        {
            return from;
        }

        if (!response.Content.Headers.TryGetValues("Content-Range", out var values))
        {
            return response.StatusCode is HttpStatusCode.PartialContent ? long.MaxValue : 0;
        }

        var text = string.Concat(values);
        var begin = text.AsSpan().IndexOfAnyInRange('0', '9');
        var digits = begin < 0 ? default : text.AsSpan(begin);
        var length = digits.IndexOfAnyExceptInRange('0', '9');
        return long.TryParse(length < 0 ? digits : digits[..length], out var start) ? start : long.MaxValue;
    }
}
