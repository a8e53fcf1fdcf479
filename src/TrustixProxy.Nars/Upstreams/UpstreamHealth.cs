using Microsoft.Extensions.Logging;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Whether one upstream can be asked, judged by what became of the requests to it.</summary>
/// <remarks>
/// <code>
/// unknown ──answer──▶ live ──failure, or three useless answers or missing NARs──▶ failing ──three failures, the last probe's too, or
/// silence──▶ away
///                      ▲──────────────────────────answer────────────────┴──────────answer, also to a probe─────────────────────────┘
/// </code>
/// The first real cause is kept until it answers again. An upstream that asked to be left alone is away for as long as it said.</remarks>
/// <param name="name">The upstream's name.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of each change of state, at most every ten seconds.</param>
public sealed class UpstreamHealth(string name, TimeProvider time, ILogger logger)
{
    /// <summary>How many failures in a row make it away, and how many useless answers in a row make it failing.</summary>
    public const int Run = 3;

    private static readonly TimeSpan LogPause = TimeSpan.FromSeconds(10);

    private readonly Lock _turn = new();
    private int _requestFailures, _probeFailures, _useless, _narFailures;
    private bool _isKnown, _isAway;
    private DateTimeOffset? _since;
    private UpstreamFault? _cause, _latest;
    private (DateTimeOffset Since, UpstreamFault Cause)? _held;
    private long _heldUntil; // ticks of UTC
    private long _lastLife = time.GetTimestamp();
    private DateTimeOffset _nextLog;
    private UpstreamState _logged = UpstreamState.Live;
    private TaskCompletionSource _away = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How it is doing now.</summary>
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

    /// <summary>Whether it is not to be asked now. Makes no garbage.</summary>
    public bool IsAway => Volatile.Read(ref _isAway) || HeldFor > TimeSpan.Zero;

    /// <summary>Ends when it goes away; whoever waits for it then has its answer: it has nothing.</summary>
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

    /// <summary>Whether its last requests failed so often that one try of a path is enough.</summary>
    public bool IsInLongRun => Volatile.Read(ref _requestFailures) >= Run;

    /// <summary>For how long it asked to be left alone from now on.</summary>
    public TimeSpan HeldFor => Volatile.Read(ref _heldUntil) is var until and > 0 && until - time.GetUtcNow().UtcTicks is var left and > 0
        ? TimeSpan.FromTicks(left)
        : TimeSpan.Zero;

    /// <summary>When it last sent anything, as a timestamp of the clock; when this began, if it never has.</summary>
    public long LastLife => Volatile.Read(ref _lastLife);

    /// <summary>It sent something: it is not silent, whatever that was.</summary>
    public void ReportLife() => Volatile.Write(ref _lastLife, time.GetTimestamp());

    /// <summary>It gave an answer that can be used: the path, or that it has none.</summary>
    public void ReportAnswer()
    {
        ReportLife();
        lock (_turn)
        {
            (_requestFailures, _useless) = (0, 0);
            BecomeLive();
        }
    }

    /// <summary>A request failed, or its answer is of no use.</summary>
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

    /// <summary>A request failed for a reason without a status.</summary>
    public void Report(UpstreamFailure kind) => Report(new UpstreamFault(kind));

    /// <summary>A NAR that it offers has begun to come (null), or it gave none. Narinfos that it gives meanwhile do not end a run of such
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

    /// <summary>A probe was answered (null) or failed.</summary>
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

    /// <summary>It takes requests and sends nothing, to a probe neither.</summary>
    public void ReportSilence()
    {
        lock (_turn)
        {
            Note(new UpstreamFault(UpstreamFailure.Silent));
            GoAway();
        }
    }

    /// <summary>It asked to be left alone until a time.</summary>
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

    /// <summary>Begins with what another one knew of the same upstream.</summary>
    public void TakeOver(UpstreamHealth before)
    {
        var status = before.Status;
        lock (_turn)
        {
            (_isKnown, _since, _cause) = (status.State is not UpstreamState.Unknown, status.Since, status.Cause);
            _logged = status.State;
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

    /// <summary>Keeps the first cause. That it was silent is a guess, which a failure that we can name replaces.</summary>
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
            (_since, _cause, _latest) = (null, null, null); // a run of useless answers is still failing, and keeps its cause
        }

        if (_isAway)
        {
            Volatile.Write(ref _isAway, false);
            _away = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        Tell();
    }

    /// <summary>Logs that it went away, gives useless answers, or is back. A single failure is not worth a line.</summary>
    private void Tell()
    {
        var now = time.GetUtcNow();
        var status = Status;
        var isWorthIt = status.State is UpstreamState.Away or UpstreamState.Live || (status.State is UpstreamState.Failing && IsInRun);
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

    /// <summary>Whether its answers are of no use, though it can be reached.</summary>
    private bool IsOfNoUse => _useless >= Run || _narFailures >= Run;
}
