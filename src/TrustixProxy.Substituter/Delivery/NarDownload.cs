using TrustixProxy.Substituter.Storage;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Delivery;

/// <summary>One file for all clients and ranges that want it at a time: fetched once, verified once.</summary>
/// <remarks>It runs while somebody reads. It owns what it runs: <see cref="DisposeAsync"/> ends that, waits for it, and then frees what it used.</remarks>
internal sealed class NarDownload : IAsyncDisposable
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
    private bool _isClosed, _isLost; // closed: nobody can join; lost: nobody is left whom another upstream could serve

    /// <summary>How long it waits for another reader when the last one has left it unfinished. Nothing is fetched meanwhile.</summary>
    internal static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

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

    /// <summary>Whether a client waits that takes any bytes that hold the NAR.</summary>
    public bool IsWantedWhole
    {
        get
        {
            lock (_lock)
            {
                return _deliveries.Exists(delivery => !delivery.WantsSameFile);
            }
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
            if (isOver || (body is not null && !delivery.TryBind(body)))
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

            if (delivery.WantsSameFile && !body.Source.IsSameFile)
            {
                return _fetch.HasFailed ? DeliveryState.Unavailable : DeliveryState.Absent;
            }

            var verdict = await body.ReadyAsync(delivery, cancellation);
            if (verdict is null || delivery.FaultOf(verdict.Value) is null)
            {
                return DeliveryState.Ready;
            }

            if (verdict.Value.Fault is null)
            {
                return DeliveryState.Absent; // the NAR in other bytes than the range is of
            }
        }
    }

    /// <summary>Has all who have no bytes yet read a body from now on; false when no one can.</summary>
    public bool TryOffer(NarBody body)
    {
        lock (_lock)
        {
            _bodies.Add(body);
            foreach (var delivery in _deliveries.Where(delivery => !delivery.HasTaken))
            {
                delivery.Body?.Detach(delivery);
                delivery.TryBind(body);
            }

            Pulse();
            return _deliveries.Count is 0 || _deliveries.Exists(delivery => delivery.Body == body && !delivery.IsBeyond);
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

            body.Dispose(); // its readers are cut: nothing of it is read any more
            _isLost = !_deliveries.Exists(delivery => !delivery.HasTaken);
            return !_isLost;
        }
    }

    /// <summary>Removes a client that needs nothing more, or has left.</summary>
    public void Leave(NarDelivery delivery)
    {
        lock (_lock)
        {
            _deliveries.Remove(delivery);
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

    private async Task RunAsync()
    {
        var outcome = await _fetch.RunAsync(_end.Token);
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

    /// <summary>The body that a client is to read: one that is refused is none.</summary>
    private (NarBody? Body, DeliveryState? Outcome, Task Changed) Look(NarDelivery delivery)
    {
        lock (_lock)
        {
            return (delivery.Body is { Verdict: not { Fault: not null } } body ? body : null, _outcome, _changed.Task);
        }
    }

    private void Pulse()
    {
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
