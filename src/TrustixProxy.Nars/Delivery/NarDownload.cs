using Microsoft.Extensions.Logging;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>One file, fetched and verified once for all concurrent clients and ranges.</summary>
/// <remarks>Runs while it has readers. <see cref="DisposeAsync"/> ends its work, waits for it, and then frees its resources.</remarks>
public sealed class NarDownload : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<NarDelivery> _deliveries = [];
    private readonly List<NarBody> _bodies = [];
    private readonly CancellationTokenSource _end = new();
    private readonly NarFetch _fetch;
    private readonly ITimer _idle;
    private readonly TimeSpan _linger, _stay;
    private readonly ILogger _logger;
    private Task _running = Task.CompletedTask;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DeliveryState? _outcome; // Ready once a body is verified
    private bool _isNarrowed; // skipped a file that its clients could not use; a new client may, in its own download
    private bool _isClosed; // no client can join
    private bool _isLost; // all clients read a rejected body; a new client starts its own download

    /// <summary>How long an unfinished download waits for another reader after the last one left. Fetching pauses in this time.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

    /// <param name="context">Shared dependencies and limits.</param>
    public NarDownload(NarOrder order, DeliveryContext context)
    {
        (Order, Given, _linger, _stay, _logger) = (order, context.Given, Linger, context.Stay, context.Logger);
        _fetch = new NarFetch(order, context, this);
        _idle = context.Time.CreateTimer(_ => Idle?.Invoke(this), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Raised when it has had no readers for a while.</summary>
    public event Action<NarDownload>? Idle;

    public NarOrder Order { get; }

    /// <summary>Counts what clients were given, for display; null when nobody looks.</summary>
    public NarHistory? Given { get; }

    /// <summary>The body read now; null while upstreams are asked.</summary>
    public NarBody? Body
    {
        get
        {
            lock (_lock)
            {
                return _bodies.LastOrDefault();
            }
        }
    }

    /// <summary>Whether it has ended, successfully or not, and has no readers.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_lock)
            {
                return _deliveries.Count is 0 && _outcome is not null;
            }
        }
    }

    /// <summary>Returns the candidates its clients can use, in order of trial. A range needs the exact bytes that the URL names.</summary>
    public List<NarCandidate> Eligible(List<NarCandidate> candidates)
    {
        lock (_lock)
        {
            return !_deliveries.Exists(delivery => !delivery.WantsSameFile) ? candidates.FindAll(candidate => candidate.IsSameFile)
                : _deliveries.Exists(delivery => delivery.WantsSameFile) ? [.. candidates.OrderBy(candidate => !candidate.IsSameFile)]
                : candidates;
        }
    }

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Adds a client; false when this download cannot serve it from its first byte.</summary>
    public bool TryJoin(NarDelivery delivery)
    {
        lock (_lock)
        {
            var body = _bodies.LastOrDefault();
            body = body?.Verdict is { Fault: not null } ? null : body;
            var isOver = _isClosed || _isLost || _isNarrowed || _outcome is not (null or DeliveryState.Ready)
                || (body?.Verdict is not null && (_stay <= TimeSpan.Zero || !body.IsWhole));
            if (isOver || (body is not null && (!delivery.Accepts(body) || !delivery.TryBind(body))))
            {
                return false;
            }

            _deliveries.Add(delivery);
            _idle.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return true;
        }
    }

    /// <summary>Waits until a client's response can begin, or cannot.</summary>
    public async Task<DeliveryState> StartAsync(NarDelivery delivery, CancellationToken cancellation)
    {
        while (true)
        {
            var (body, outcome, changed) = Look(delivery);
            if (body is null || delivery.IsBeyond)
            {
                if (outcome is not null)
                {
                    return outcome is not DeliveryState.Ready ? outcome.Value
                        : delivery.IsBeyond ? DeliveryState.Beyond
                        : DeliveryState.OtherFile; // the verified file cannot serve this client from its first byte
                }

                await changed.WaitAsync(cancellation);
                continue;
            }

            if (!delivery.Accepts(body))
            {
                return DeliveryState.OtherFile;
            }

            var verdict = await body.ReadyAsync(delivery, cancellation);
            if (verdict is null || delivery.FaultOf(verdict.Value) is null)
            {
                return DeliveryState.Ready;
            }

            if (verdict.Value.Fault is null)
            {
                return DeliveryState.OtherFile;
            }
        }
    }

    /// <summary>Switches all clients of rejected bodies to this one; false when none can use it.</summary>
    public bool TryOffer(NarBody body)
    {
        lock (_lock)
        {
            _bodies.Add(body);
            _deliveries.ForEach(delivery => delivery.TryBind(body));

            Pulse();
            var isUsed = _deliveries.Count is 0 || _deliveries.Exists(delivery => delivery.Uses(body));
            _isNarrowed |= !isUsed;
            return isUsed;
        }
    }

    /// <summary>Ends a body; false when no remaining client could use another body.</summary>
    public bool Conclude(NarBody body, NarVerdict verdict)
    {
        lock (_lock)
        {
            body.Complete(verdict);
            Pulse();
            if (verdict.Fault is null)
            {
                return true;
            }

            _deliveries.FindAll(delivery => !delivery.CanGoOn).ForEach(body.Detach);
            body.Release();
            _isLost = !_deliveries.Exists(delivery => !delivery.HasTaken);
            return _deliveries.Exists(delivery => delivery.CanGoOn);
        }
    }

    /// <summary>Waits for the body that follows a rejected one; false when there is none.</summary>
    public async Task<bool> NextAsync(NarDelivery delivery, NarBody refused, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (delivery.Body != refused || _outcome is not null)
                {
                    return delivery.Body != refused;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellation);
        }
    }

    /// <summary>Logs that a client's response is cut.</summary>
    /// <param name="sent">Offset in the file after the last byte that the client was sent.</param>
    public void NoteCut(long sent) => _logger.DeliveryCut(Order.Claim.Path.ToString(), sent);

    /// <summary>Detaches a client from a body that differs from the bytes the client has.</summary>
    public void Reject(NarDelivery delivery, NarBody body)
    {
        lock (_lock)
        {
            delivery.Reject(body);
            AbandonUnused();
        }
    }

    /// <summary>Removes a client that is finished or has left.</summary>
    public void Leave(NarDelivery delivery)
    {
        lock (_lock)
        {
            _deliveries.Remove(delivery);
            AbandonUnused();
            if (_deliveries.Count is 0 && !_isClosed)
            {
                var isWhole = _outcome is DeliveryState.Ready && _bodies is [.., { IsWhole: true, Verdict.FileHash: { } hash } body]
                    && (hash == Order.FileHash || !body.Source.IsSameFile);
                _idle.Change(_outcome is null ? _linger : isWhole ? _stay : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Closes to new clients; false while it has some.</summary>
    public bool TryClose()
    {
        lock (_lock)
        {
            _isClosed |= _deliveries.Count is 0;
            return _isClosed;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _running;
        await _idle.DisposeAsync();
        _end.Dispose();
        _bodies.ForEach(body => body.Dispose());
    }

    /// <summary>Ends the download: no other body follows.</summary>
    public void End(DeliveryState outcome)
    {
        lock (_lock)
        {
            _outcome = outcome;
            if (_deliveries.Count is 0 && !_isClosed)
            {
                _idle.Change(_linger, Timeout.InfiniteTimeSpan);
            }

            Pulse();
        }
    }

    private async Task RunAsync() => End(await _fetch.RunAsync(_end.Token));

    /// <summary>Returns the body a client should read; a rejected one does not count.</summary>
    private (NarBody? Body, DeliveryState? Outcome, Task Changed) Look(NarDelivery delivery)
    {
        lock (_lock)
        {
            return (delivery.Body is { Verdict: not { Fault: not null } } body ? body : null, _outcome, _changed.Task);
        }
    }

    /// <summary>Ends a body that no client can use, and notifies those that wait for the next.</summary>
    private void AbandonUnused()
    {
        if (_deliveries.Count > 0 && _bodies is [.., { Verdict: null } body] && !_deliveries.Exists(delivery => delivery.Uses(body)))
        {
            _isLost = true;
            body.Abandon();
        }
    }

    private void Pulse()
    {
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
