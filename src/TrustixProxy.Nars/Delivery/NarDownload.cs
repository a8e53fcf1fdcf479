using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>One file for all clients and ranges that want it at a time: fetched once, verified once.</summary>
/// <remarks>It runs while somebody reads. It owns what it runs: <see cref="DisposeAsync"/> ends that, waits for it, and then frees what it
/// used.</remarks>
public sealed class NarDownload : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<NarDelivery> _deliveries = [];
    private readonly List<NarBody> _bodies = [];
    private readonly CancellationTokenSource _end = new();
    private readonly NarFetch _fetch;
    private readonly ITimer _idle;
    private readonly TimeSpan _linger, _stay;
    private Task _running = Task.CompletedTask;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DeliveryState? _outcome; // Ready once a body is verified
    private bool _isClosed; // no client can join
    private bool _isLost; // all clients have begun to read a refused body; a new client begins a download of its own

    /// <summary>How long it waits for another reader when the last one has left it unfinished. Nothing is fetched meanwhile.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

    /// <param name="order">What is wanted.</param>
    /// <param name="context">What all downloads use.</param>
    /// <param name="onIdle">Told when nobody has read it for a while.</param>
    public NarDownload(NarOrder order, DeliveryContext context, Action<NarDownload> onIdle)
    {
        (Order, _linger, _stay) = (order, Linger, context.Stay);
        _fetch = new NarFetch(order, context, this);
        _idle = context.Time.CreateTimer(_ => onIdle(this), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public NarOrder Order { get; }

    /// <summary>The body that is read now; null while upstreams are asked.</summary>
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

    /// <summary>Whether it has ended, well or not, and nobody reads it.</summary>
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

    /// <summary>The candidates that its clients can use, in the order of trial. A range is of the very bytes that the URL names.</summary>
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

    /// <summary>Adds a client; false where this download cannot serve it from its first byte on.</summary>
    public bool TryJoin(NarDelivery delivery)
    {
        lock (_lock)
        {
            var body = _bodies.LastOrDefault();
            body = body?.Verdict is { Fault: not null } ? null : body;
            var isOver = _isClosed || _isLost || _outcome is not (null or DeliveryState.Ready)
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

    /// <summary>Waits until a client's answer can begin, or it is clear that there is none.</summary>
    public async Task<DeliveryState> StartAsync(NarDelivery delivery, CancellationToken cancellation)
    {
        while (true)
        {
            var (body, outcome, changed) = Look(delivery);
            if (body is null || delivery.IsBeyond)
            {
                if (outcome is not null)
                {
                    return delivery.IsBeyond && outcome is DeliveryState.Ready ? DeliveryState.Beyond : outcome.Value;
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

    /// <summary>Has all whose body is refused read another from now on; false when no one can.</summary>
    public bool TryOffer(NarBody body)
    {
        lock (_lock)
        {
            _bodies.Add(body);
            _deliveries.ForEach(delivery => delivery.TryBind(body));

            Pulse();
            return _deliveries.Count is 0 || _deliveries.Exists(delivery => delivery.Uses(body));
        }
    }

    /// <summary>Ends a body; false when nobody is left whom another body could serve.</summary>
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

    /// <summary>Waits for the body that follows a refused one; false when none does.</summary>
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

    /// <summary>Removes a client from a body that differs from what the client was given.</summary>
    public void Reject(NarDelivery delivery, NarBody body)
    {
        lock (_lock)
        {
            delivery.Reject(body);
            AbandonUnused();
        }
    }

    /// <summary>Removes a client that needs nothing more, or has left.</summary>
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

    /// <summary>Takes no more clients; false when there are some.</summary>
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

    /// <summary>Ends it: no other body follows.</summary>
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

    /// <summary>The body that a client is to read: one that is refused is none.</summary>
    private (NarBody? Body, DeliveryState? Outcome, Task Changed) Look(NarDelivery delivery)
    {
        lock (_lock)
        {
            return (delivery.Body is { Verdict: not { Fault: not null } } body ? body : null, _outcome, _changed.Task);
        }
    }

    /// <summary>Ends a body that nobody can use, for those who wait for the next.</summary>
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
