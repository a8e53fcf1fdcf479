using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Substituter.Storage;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>One try to serve a NAR from one upstream: what it is sent, and what of its answer reaches the client. To it go only our own headers; from it come only length and body.</summary>
internal sealed class NarAttempt : HttpTransformer, IDisposable
{
    private readonly List<NarCandidate> _next;
    private readonly Action<NarAttempt, NarFault> _onFault;
    private readonly TimeProvider _time;
    private readonly RequestedRange _range;
    private readonly CancellationTokenSource _limit, _late = new();
    private readonly CancellationTokenRegistration _onLimit;
    private readonly KnownFile? _known;
    private VerifyingNarStream? _stream;
    private int _isSettled; // whether the upstream has answered in time: 1 once it has, or has not

    /// <summary>How long another upstream is waited for that is to go on.</summary>
    private static readonly TimeSpan ResumeLimit = TimeSpan.FromSeconds(10);

    /// <summary>How long one that knows no ranges may take to come to the place.</summary>
    private static readonly TimeSpan SkipLimit = TimeSpan.FromMinutes(2);

    /// <param name="candidate">The upstream.</param>
    /// <param name="order">What is wanted.</param>
    /// <param name="next">Who can go on when it breaks off.</param>
    /// <param name="known">The file that it must be, when the URL's file is known to hold the NAR; it is not decompressed then.</param>
    /// <param name="request">The client's request.</param>
    /// <param name="onFault">Told why its NAR is refused, before the client can notice it.</param>
    /// <param name="limit">How long it may take until the answer begins.</param>
    /// <param name="time">The clock.</param>
    public NarAttempt(NarCandidate candidate, NarOrder order, List<NarCandidate> next, KnownFile? known, HttpRequest request, Action<NarAttempt, NarFault> onFault, TimeSpan limit, TimeProvider time)
    {
        _limit = new CancellationTokenSource(limit, time);
        _onLimit = _limit.Token.Register(() =>
        {
            if (IsFirstToSettle())
            {
                _late.Cancel();
            }
        });
        (Candidate, Order, _next, _known, _onFault, _time) = (candidate, order, next, known, onFault, time);
        _range = new RequestedRange(request);
    }

    public void Dispose()
    {
        _stream?.Copy?.Abandon(); // unless it was completed
        _onLimit.Dispose();
        _limit.Dispose();
        _late.Dispose();
    }

    public NarCandidate Candidate { get; }

    public NarOrder Order { get; }

    /// <summary>A range is only ever answered with the very bytes that the URL names.</summary>
    public bool CanAnswer => _range.IsWhole || Candidate.IsSameFile;

    /// <summary>Why this upstream's NAR was refused; null when it was not.</summary>
    public NarFault? Fault { get; private set; }

    /// <summary>How long the file is by this upstream's word, when that has no such range; null otherwise.</summary>
    public long? TooShortForRange { get; private set; }

    /// <summary>Whether it was tried as a known file, and is another one: what it holds was not looked at.</summary>
    public bool IsOtherThanKnown => _known is not null && Fault is NarFault.FileHash;

    /// <summary>Told of a compressed file that was decompressed and found to hold the NAR.</summary>
    public Action<KnownFile> OnVerified { get; init; } = _ => { };

    /// <summary>Where a copy is kept of what is verified; null when nothing is kept.</summary>
    public NarStore? Store { get; init; }

    /// <summary>Ends when time is up and the upstream has not answered; never, once it has. What it sends by then, or does not send, is judged by <see cref="VerifyingNarStream.PrimeAsync"/>.</summary>
    public CancellationToken Late => _late.Token;

    /// <summary>Whether the upstream holds the agreed NAR in other bytes than it said.</summary>
    public bool HasOtherFile => Candidate.IsSameFile && !Candidate.Decompress && _stream?.FileHash is { } hash && hash != Order.FileHash;

    public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.Method = HttpMethod.Get;
        proxyRequest.RequestUri = Candidate.Address;
        proxyRequest.Content = null;
        proxyRequest.Headers.Clear();
        return ValueTask.CompletedTask;
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (!IsFirstToSettle() || proxyResponse is not { StatusCode: HttpStatusCode.OK } || NarCompression.OfContentEncoding(proxyResponse.Content.Headers.ContentEncoding) is not { } encoding)
        {
            Fail(NarFault.Unreachable);
            return false;
        }

        // What a narinfo says of the file's length is a hint, and no promise is made on a hint.
        var body = await ReadAsync(proxyResponse.Content, encoding, cancellationToken);
        var fileLength = encoding is NarCompression.None ? proxyResponse.Content.Headers.ContentLength : null;
        var length = Order.Compression is NarCompression.None ? Order.Claim.NarSize : fileLength;
        if (!_range.TryResolve(length, out var range))
        {
            TooShortForRange = length;
            return false;
        }

        if (_known is not null && length is not null && length != _known.Size)
        {
            Fail(NarFault.FileHash);
            return false;
        }

        _stream = Open(body, length, range);
        await _stream.PrimeAsync(_limit.Token, httpContext.RequestAborted);
        if (_stream.Fault is not null || Order.IsRevoked())
        {
            await _stream.DisposeAsync();
            return false;
        }

        RequestedRange.WriteHead(httpContext.Response, length, range, Candidate.IsSameFile && !HasOtherFile);
        proxyResponse.Content = new StreamContent(_stream);
        return true;
    }

    /// <summary>The file, decompressed if need be, with every byte verified; its hash too where other upstreams may have the right file.</summary>
    private VerifyingNarStream Open(Stream file, long? length, ByteRange range)
    {
        var source = Candidate.Decompress ? NarCompression.Open(Candidate.NarInfo.Compression, file) : file;
        var mustBeSame = Candidate.IsSameFile && !Candidate.Decompress && (range != ByteRange.All || _next.Count > 0);
        return new VerifyingNarStream(source, Candidate.ServedCompression, Order.Claim, range, Order.MustMatch, _known)
        {
            IsDecoding = Candidate.Decompress,
            Promised = length,
            RequiredFileHash = mustBeSame ? Order.FileHash : null,
            OnFault = Fail,
            OnVerified = OnVerified,
            Copy = Candidate.IsSameFile && Order.MustMatch is null ? Store?.Begin(StoredNar.Of(Order), length) : null,
        };
    }

    /// <summary>The upstream's file; another upstream goes on with it where this one breaks off, unless the body is not the file as it is.</summary>
    private async Task<Stream> ReadAsync(HttpContent content, string encoding, CancellationToken cancellation)
    {
        var isBare = encoding is NarCompression.None;
        var body = new ResumingStream(await content.ReadAsStreamAsync(cancellation), content.Headers.ContentLength, isBare ? ResumeAsync : (_, _) => Task.FromResult<Stream?>(null), _time);
        return NarCompression.Open(encoding, body);
    }

    /// <summary>The answer did not begin: if nothing else is known to be wrong, the upstream could not be reached in time.</summary>
    public void GiveUp()
    {
        if (Fault is null && TooShortForRange is null)
        {
            Fail(NarFault.Unreachable);
        }
    }

    private bool IsFirstToSettle() => Interlocked.Exchange(ref _isSettled, 1) is 0;

    private void Fail(NarFault fault)
    {
        Fault = fault;
        _onFault(this, fault);
    }

    /// <summary>Goes on at an offset of the file from the next upstream that says it has it.</summary>
    private async Task<Stream?> ResumeAsync(long offset, CancellationToken cancellation)
    {
        while (_next.Count > 0)
        {
            var next = _next[0];
            _next.RemoveAt(0);
            using var limit = new CancellationTokenSource(ResumeLimit, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, next.Address);
                request.Headers.Range = new RangeHeaderValue(offset, null);
                var response = await next.Upstream.Http.SendAsync(request, either.Token);
                var isRest = response.StatusCode is HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == offset;
                if ((isRest || response.StatusCode is HttpStatusCode.OK) && response.Content.Headers.ContentEncoding.Count is 0)
                {
                    var file = await response.Content.ReadAsStreamAsync(either.Token);
                    limit.CancelAfter(isRest ? Timeout.InfiniteTimeSpan : SkipLimit);
                    await SkipAsync(file, isRest ? 0 : offset, either.Token);
                    return file;
                }

                response.Dispose();
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                // This one is down too.
            }
        }

        return null;
    }

    private static async Task SkipAsync(Stream file, long count, CancellationToken cancellation)
    {
        var buffer = new byte[32 << 10];
        while (count > 0)
        {
            var read = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(count, buffer.Length)), cancellation);
            count -= read > 0 ? read : throw new EndOfStreamException();
        }
    }
}
