using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Watching;

/// <summary>Says whether a log is frozen because it contradicted itself under its own signature. Only a person unfreezes it.</summary>
/// <param name="name">The log's name.</param>
/// <param name="view">The view, which begins again when the log is unfrozen.</param>
/// <param name="faults">Keeps the evidence.</param>
/// <param name="logger">Logs when the log is unfrozen.</param>
internal sealed class FreezeFlag(string name, HeldView view, LogFaultStore faults, TimeProvider time, ILogger logger)
{
    /// <summary>How long this process may miss that another process froze the log, or a person unfroze it.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    /// <summary>How long one who holds the log to be frozen waits for another's look at the disk.</summary>
    private static readonly TimeSpan LookPatience = TimeSpan.FromMilliseconds(500);

    private volatile bool _isSet = WasFrozen(view, faults);
    private long _checkedAt = time.GetTimestamp();

    /// <summary>Whether the log is frozen. Looks at the disk when the last look is too old.</summary>
    public bool IsSet
    {
        get
        {
            LookWhenDue();
            return _isSet;
        }
    }

    /// <summary>Freezes the log and keeps the evidence. A log that is frozen keeps its first evidence.</summary>
    /// <param name="from">Who has shown it.</param>
    public void Set(LogFault fault, string from)
    {
        lock (view.Turn)
        {
            if (_isSet)
            {
                return; // several answers may show the same fault at once
            }

            _isSet = true;
            Interlocked.Exchange(ref _checkedAt, time.GetTimestamp());
            faults.Freeze(fault, from);
        }
    }

    /// <summary>Notes that another process froze the log.</summary>
    public void Note() => _isSet = true;

    /// <summary>Replaces the view, unless the log is frozen. Arguments are those of <see cref="HeldView.TryReplace"/>.</summary>
    public bool TryReplaceView(LogView? known, LogView next, byte[]? stored, long at)
    {
        lock (view.Turn)
        {
            return !_isSet && view.TryReplace(known, next, stored, at);
        }
    }

    private static bool WasFrozen(HeldView view, LogFaultStore faults)
    {
        if (view.Load().Fault is not { } fault)
        {
            return false;
        }

        faults.KeepFile(fault);
        return true;
    }

    private bool IsLookDue => time.GetElapsedTime(Interlocked.Read(ref _checkedAt)) > MaxAge;

    /// <summary>Looks whether another process froze the log, or a person unfroze it.</summary>
    /// <remarks>While one looks, others that hold the log to be frozen wait for the result, so that an unfrozen log is heard in
    /// time.</remarks>
    private void LookWhenDue()
    {
        if (!IsLookDue || !view.Turn.TryEnter(_isSet ? LookPatience : TimeSpan.Zero))
        {
            return; // a view is being written, or the disk hangs: the next caller looks again
        }

        try
        {
            if (IsLookDue)
            {
                Look();
                Interlocked.Exchange(ref _checkedAt, time.GetTimestamp());
            }
        }
        finally
        {
            view.Turn.Exit();
        }
    }

    private void Look()
    {
        if (faults.IsFrozen(isKnown: _isSet) is var isFrozen && isFrozen == _isSet)
        {
            return;
        }

        if (!isFrozen)
        {
            if (DiskRefusal.Of(view.Restart) is { } refusal)
            {
                logger.ViewNotKept(name, refusal); // frozen until the disk says where to begin
                return;
            }

            logger.LogUnfrozen(name);
        }

        _isSet = isFrozen;
    }
}
