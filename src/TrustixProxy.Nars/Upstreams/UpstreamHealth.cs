using Microsoft.Extensions.Logging;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Decides whether one upstream can be asked, by the results of its requests.</summary>
/// <remarks>
/// <code>
/// unknown ──answer──▶ live
/// live ──failure, or three useless answers or missing NARs──▶ failing
/// failing ──three failures and a failed probe, or silence──▶ away
/// failing, away ──answer, also to a probe──▶ live
/// </code>
/// The first real cause is kept until the upstream answers again. An upstream that asked for a pause is away that long.</remarks>
/// <param name="name">The upstream's name.</param>
/// <param name="logger">Logs each change of state, at most every ten seconds.</param>
public sealed class UpstreamHealth(string name, TimeProvider time, ILogger logger)
{
    /// <summary>Number of consecutive failures that make it away, and of consecutive useless answers that make it failing.</summary>
    public const int Run = 3;

    private static readonly TimeSpan LogPause = TimeSpan.FromSeconds(10);

    private readonly Lock _turn = new();
    private int _requestFailures, _probeFailures, _useless, _narFailures;
    private bool _isKnown, _isAway;
    private bool _wasOut; // away or of no use, since it was last live
    private DateTimeOffset? _since, _liveSince;
    private UpstreamFault? _cause, _latest;
    private (DateTimeOffset Since, UpstreamFault Cause)? _held;
    private long _heldUntil; // ticks of UTC
    private long _lastLife = time.GetTimestamp();
    private long _returns;
    private DateTimeOffset _nextLog;
    private UpstreamState _logged = UpstreamState.Live;
    private TaskCompletionSource _away = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Its current status.</summary>
    public UpstreamStatus Status
    {
        get
        {
            lock (_turn)
            {
                return HeldFor > TimeSpan.Zero && _held is { } held
                    ? new UpstreamStatus(UpstreamState.Away, held.Since, held.Cause)
                    : State is UpstreamState.Live or UpstreamState.Unknown ? new UpstreamStatus(State)
                    : new UpstreamStatus(State, _since, _cause, _latest == _cause ? null : _latest);
            }
        }
    }

    /// <summary>Since when it has been live without a break, as far as this process knows; null while it is not.</summary>
    public DateTimeOffset? LiveSince
    {
        get
        {
            lock (_turn)
            {
                return HeldFor > TimeSpan.Zero ? null : _liveSince;
            }
        }
    }

    /// <summary>Whether it must not be asked now. Allocates nothing.</summary>
    public bool IsAway => Volatile.Read(ref _isAway) || HeldFor > TimeSpan.Zero;

    /// <summary>Completes when it goes away; then waiting requests treat it as having nothing.</summary>
    public Task Away
    {
        get
        {
            lock (_turn)
            {
                return _away.Task;
            }
        }
    }

    /// <summary>Whether its last requests failed so often that one try per path is enough.</summary>
    public bool IsInLongRun => Volatile.Read(ref _requestFailures) >= Run;

    /// <summary>The remaining time of the pause it asked for.</summary>
    public TimeSpan HeldFor => Volatile.Read(ref _heldUntil) is var until and > 0 && until - time.GetUtcNow().UtcTicks is var left and > 0
        ? TimeSpan.FromTicks(left)
        : TimeSpan.Zero;

    /// <summary>How often it came back after it was away or of no use, as far as this process knows.</summary>
    public long Returns => Volatile.Read(ref _returns);

    /// <summary>Timestamp of its last sign of life; of the start, if there was none.</summary>
    public long LastLife => Volatile.Read(ref _lastLife);

    /// <summary>Records that it sent something: it is not silent.</summary>
    public void ReportLife() => Volatile.Write(ref _lastLife, time.GetTimestamp());

    /// <summary>Records a usable answer: the path, or that it has none.</summary>
    public void ReportAnswer()
    {
        ReportLife();
        lock (_turn)
        {
            (_requestFailures, _useless) = (0, 0);
            BecomeLive();
        }
    }

    /// <summary>Records a failed request or a useless answer.</summary>
    public void Report(UpstreamFault fault)
    {
        lock (_turn)
        {
            if (fault.Kind is UpstreamFailure.Throttled)
            {
                return; // it says when to ask again: see UpstreamThrottle
            }

            if (fault.IsAnswer)
            {
                ReportUseless(fault);
                return;
            }

            _requestFailures++;
            Fail(fault);
        }
    }

    /// <summary>Records a failure without a status.</summary>
    public void Report(UpstreamFailure kind) => Report(new UpstreamFault(kind));

    /// <summary>Records that an offered NAR began to arrive (null) or did not. Narinfos in between do not end a run of such
    /// failures.</summary>
    public void ReportNar(UpstreamFault? fault)
    {
        lock (_turn)
        {
            if (fault is null)
            {
                (_requestFailures, _narFailures) = (0, 0);
                ReportLife();
                BecomeLive();
            }
            else if (fault.Kind is not UpstreamFailure.Throttled)
            {
                _narFailures++;
                FailNar(fault);
            }
        }
    }

    private void FailNar(UpstreamFault fault)
    {
        if (fault.IsAnswer)
        {
            Note(fault);
            Tell();
        }
        else
        {
            _requestFailures++;
            Fail(fault);
        }
    }

    /// <summary>Records that a probe was answered (null) or failed.</summary>
    public void ReportProbe(UpstreamFault? fault)
    {
        lock (_turn)
        {
            if (fault is not null)
            {
                _probeFailures++;
                Fail(fault);
                return;
            }

            _probeFailures = 0;
            if (_isAway || _requestFailures < Run)
            {
                (_requestFailures, _useless) = (0, _isAway ? 0 : _useless);
                BecomeLive();
            }
        }
    }

    /// <summary>Records that it accepts requests but answers none, not even a probe.</summary>
    public void ReportSilence()
    {
        lock (_turn)
        {
            Note(new UpstreamFault(UpstreamFailure.Silent));
            GoAway();
        }
    }

    /// <summary>Pauses it until a time, at its own request.</summary>
    public void Hold(DateTimeOffset until, UpstreamFault cause)
    {
        lock (_turn)
        {
            _isKnown = true;
            _held = HeldFor > TimeSpan.Zero ? _held : (time.GetUtcNow(), cause);
            Volatile.Write(ref _heldUntil, until.UtcTicks);
            Tell();
        }
    }

    /// <summary>Copies what another instance knew of the same upstream.</summary>
    public void TakeOver(UpstreamHealth before)
    {
        var (status, liveSince) = (before.Status, before.LiveSince);
        lock (_turn)
        {
            (_isKnown, _since, _cause) = (status.State is not UpstreamState.Unknown, status.Since, status.Cause);
            (_logged, _liveSince, _returns) = (status.State, liveSince, before.Returns);
            if (before.HeldFor is var left && left > TimeSpan.Zero)
            {
                _held = (status.Since!.Value, status.Cause!);
                Volatile.Write(ref _heldUntil, (time.GetUtcNow() + left).UtcTicks);
                (_since, _cause) = (null, null);
            }
            else if (status.State is UpstreamState.Away)
            {
                GoAway();
            }
            else if (status.State is UpstreamState.Failing)
            {
                _requestFailures = 1;
            }
        }
    }

    private UpstreamState State => _isAway ? UpstreamState.Away
        : _requestFailures > 0 || _probeFailures > 0 || IsOfNoUse ? UpstreamState.Failing
        : _isKnown ? UpstreamState.Live
        : UpstreamState.Unknown;

    private void Fail(UpstreamFault fault)
    {
        Note(fault);
        if (_requestFailures + _probeFailures >= Run && _probeFailures > 0)
        {
            GoAway();
        }
        else
        {
            Tell();
        }
    }

    private void ReportUseless(UpstreamFault fault)
    {
        ReportLife();
        if (_isAway || _requestFailures > 0 || _probeFailures > 0)
        {
            (_requestFailures, _useless) = (0, 0);
            BecomeLive(); // it can be reached again
        }

        _useless++;
        Note(fault);
        Tell();
    }

    /// <summary>Keeps the first cause. Silence is a guess, so a named failure replaces it.</summary>
    private void Note(UpstreamFault fault)
    {
        _isKnown = true;
        _latest = fault;
        _since ??= time.GetUtcNow();
        _cause = _cause is null || (_cause.Kind is UpstreamFailure.Silent && _isAway) ? fault : _cause;
    }

    private void GoAway()
    {
        if (!_isAway)
        {
            Volatile.Write(ref _isAway, true);
            _away.TrySetResult();
        }

        Tell();
    }

    private void BecomeLive()
    {
        (_isKnown, _probeFailures) = (true, 0);
        if (!IsOfNoUse)
        {
            (_since, _cause, _latest) = (null, null, null); // a run of useless answers stays failing, and keeps its cause
        }

        if (_isAway)
        {
            Volatile.Write(ref _isAway, false);
            _away = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        Tell();
    }

    /// <summary>Logs that it went away, gives useless answers, or is back. A single failure is not logged.</summary>
    private void Tell()
    {
        var now = time.GetUtcNow();
        var status = Status;
        _liveSince = status.State is UpstreamState.Live ? _liveSince ?? now : null;
        var isWorthIt = status.State is UpstreamState.Away or UpstreamState.Live || (status.State is UpstreamState.Failing && IsInRun);
        if (isWorthIt)
        {
            Volatile.Write(ref _returns, _returns + (_wasOut && status.State is UpstreamState.Live ? 1 : 0));
            _wasOut = status.State is not UpstreamState.Live;
        }

        if (status.State == _logged || !isWorthIt || now < _nextLog)
        {
            return;
        }

        (_logged, _nextLog) = (status.State, now + LogPause);
        if (status.State is UpstreamState.Live)
        {
            logger.UpstreamIsBack(name);
        }
        else
        {
            logger.UpstreamLeft(name, status.ToString());
        }
    }

    private bool IsInRun => IsOfNoUse || _requestFailures >= Run;

    /// <summary>Whether it can be reached but its answers are useless.</summary>
    private bool IsOfNoUse => _useless >= Run || _narFailures >= Run;
}
