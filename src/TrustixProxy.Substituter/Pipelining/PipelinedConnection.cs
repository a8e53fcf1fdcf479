using System.Buffers;
using System.IO.Pipelines;
using System.Net.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;


namespace TrustixProxy.Substituter.Pipelining;

/// <summary>Sees which requests wait unread on an HTTP/1.1 connection while the one before them is answered.</summary>
/// <remarks>
/// <code>
/// a request begins ──▶ <see cref="Arrive"/>: the server has read it and no further; look at the unread bytes, and take none
///                  ──▶ <see cref="Admit"/>: it passed authentication and limits; what was seen may be decided ahead
/// </code>
/// Each look begins where the server will read on, so both agree on where requests begin.
/// An answer from memory is sent together with the next one if that is in memory, too.</remarks>
/// <param name="input">The connection's bytes, decrypted.</param>
/// <param name="output">The answers.</param>
/// <param name="closed">Cancelled when the connection ends.</param>
internal sealed class PipelinedConnection(PipeReader input, HeldOutput output, CancellationToken closed)
{
    /// <summary>Maximum requests being decided ahead; as many as an HTTP/2 connection has streams.</summary>
    public const int MostAtOnce = 100;

    /// <summary>Maximum requests seen before they arrive.</summary>
    private const int MostSeen = 256;

    private readonly Lock _lock = new();
    private readonly Queue<AheadRequest> _seen = new(), _waiting = new();
    private SenderHeaders? _sender; // of the request being answered
    private AheadRequest? _own; // the request being answered, if it was seen ahead
    private Admission? _admission;
    private int _seenBytes, _underway;
    private bool _hasFirst, _isFirst, _isAdmitted, _isOver;

    /// <summary>Cancelled when the connection ends.</summary>
    public CancellationToken Closed => closed;

    /// <summary>Whether the request being answered was charged to its client's rate when it was seen ahead, a moment ago.</summary>
    public bool IsCharged { get; private set; }

    /// <summary>Serves a connection. HTTP/2 connections are left alone: their requests are answered side by side anyway.</summary>
    public static Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<ITlsApplicationProtocolFeature>()?.ApplicationProtocol is not { } protocol
            || !protocol.Span.SequenceEqual(SslApplicationProtocol.Http2.Protocol.Span))
        {
            var (input, output) = (connection.Transport.Input, new HeldOutput(connection.Transport.Output));
            connection.Transport = new Duplex(input, output);
            connection.Features.Set(new PipelinedConnection(input, output, connection.ConnectionClosed));
        }

        return next(connection);
    }

    /// <summary>Looks at the requests that wait behind one. Called once for each request, before it is handled.</summary>
    public void Arrive(HttpContext context, TimeProvider time)
    {
        output.IsHeld = false;
        IsCharged = TakeSeen(context.Request.Path, time);
        (_isFirst, _hasFirst, _sender) = (!_hasFirst, true, null);
        if (!(_isFirst || _isAdmitted) || _isOver || !IsPlain(context) || !TryPeek(out var unread))
        {
            return;
        }

        try
        {
            _sender = SenderHeaders.Of(context.Request.Headers);
            See(unread.Buffer, _sender);
        }
        finally
        {
            input.AdvanceTo(unread.Buffer.Start);
            if (unread.IsCanceled)
            {
                input.CancelPendingRead(); // it was meant for the server
            }
        }
    }

    /// <summary>Has what waits decided ahead.</summary>
    /// <param name="ahead">Decides ahead.</param>
    /// <param name="charge">See <see cref="Admission.Charge"/>.</param>
    /// <param name="requester">Who sent the request being answered.</param>
    public void Admit(LookAhead ahead, Func<Requester, IDisposable?> charge, Requester requester)
    {
        _isAdmitted |= _isFirst;
        HoldOrRelease(ahead);
        lock (_lock)
        {
            if (!_isAdmitted || _waiting.Count is 0 || _sender is null)
            {
                return;
            }

            _admission = new Admission(ahead, charge, requester, _sender);
        }

        ahead.Offer(this, requester);
    }

    /// <summary>Sends the answers that were kept back. The request being answered has to wait for something.</summary>
    public void Release() => output.Release();

    /// <summary>Starts to decide on the next request that waits; null when none may be.</summary>
    /// <param name="ahead">Who starts it.</param>
    public AheadRequest? StartNext(LookAhead ahead)
    {
        lock (_lock)
        {
            while (_underway < MostAtOnce && _admission is { } admission && admission.Ahead == ahead && !closed.IsCancellationRequested
                && _waiting.TryPeek(out var next))
            {
                if (!next.HasArrived && next.Sender == admission.Sender && !ahead.IsWarm(next))
                {
                    next.Lease = admission.Charge(admission.Requester);
                    if (next.Lease is null)
                    {
                        return null; // it is charged when it arrives
                    }

                    _underway++;
                    return _waiting.Dequeue();
                }

                _waiting.Dequeue();
            }

            return null;
        }
    }

    /// <summary>Ends what deciding ahead on a request took of its client's limits.</summary>
    /// <param name="request">The request.</param>
    /// <param name="timestamp">When the decision came.</param>
    public void End(AheadRequest request, long timestamp)
    {
        lock (_lock)
        {
            _underway--;
            request.DecidedAt = timestamp;
        }

        request.Lease!.Dispose();
    }

    private void HoldOrRelease(LookAhead ahead)
    {
        if (_own is not { Digest: not null } || !ahead.IsWarm(_own))
        {
            output.Release();
        }
        else if (_sender is not null && _seen.TryPeek(out var next) && next is { Digest: not null } && next.Sender == _sender)
        {
            output.IsHeld = ahead.IsWarm(next);
        }
    }

    /// <summary>Takes the request that has arrived from those seen.</summary>
    /// <returns>Whether it was charged, and what was decided cannot have to be decided again.</returns>
    private bool TakeSeen(PathString path, TimeProvider time)
    {
        lock (_lock)
        {
            if (!_seen.TryDequeue(out var own))
            {
                _own = null;
                return false;
            }

            _own = own;
            (own.HasArrived, _seenBytes) = (true, _seenBytes - own.Length);
            if (own.Digest is { } digest && path.Value != $"/{digest}.narinfo")
            {
                LookNoMore(); // the server reads these bytes differently
            }

            return own.Lease is not null && (own.DecidedAt is not { } at || time.GetElapsedTime(at) < RefusalMemory.Young);
        }
    }

    private void LookNoMore()
    {
        (_isOver, _seenBytes) = (true, 0);
        _seen.Clear();
        _waiting.Clear();
    }

    /// <summary>Whether a request has no body, so that the next one follows it.</summary>
    private static bool IsPlain(HttpContext context) =>
        (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        && context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false };

    private bool TryPeek(out ReadResult unread)
    {
        try
        {
            return input.TryRead(out unread);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            unread = default;
            return false; // reset, or aborted
        }
    }

    /// <summary>Reads the requests that were not seen before.</summary>
    private void See(ReadOnlySequence<byte> unread, SenderHeaders? sender)
    {
        if (sender is null)
        {
            return;
        }

        lock (_lock)
        {
            var rest = unread.Slice(_seenBytes);
            for (var reading = HeadReading.Whole; reading is HeadReading.Whole && _seen.Count < MostSeen && !rest.IsEmpty;)
            {
                reading = RequestHead.Read(rest, sender, out var head);
                if (reading is HeadReading.Whole or HeadReading.Last)
                {
                    Add(new AheadRequest(head.Length, head.Digest, sender));
                    rest = rest.Slice(head.Length);
                    _isOver = reading is HeadReading.Last; // nothing behind it is answered
                }
            }
        }
    }

    private void Add(AheadRequest request)
    {
        _seen.Enqueue(request);
        _seenBytes += request.Length;
        if (request.Digest is not null)
        {
            _waiting.Enqueue(request);
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
