using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Watching;

/// <summary>Holds one log to what it has proven before, and keeps the evidence when it contradicts itself.</summary>
/// <param name="log">The log.</param>
/// <param name="store">Where faults are kept.</param>
/// <param name="records">What was proven before.</param>
/// <param name="stateDirectory">Where evidence files go, into <c>evidence/</c>.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Logs faults.</param>
public sealed class LogFaultStore(
    LogIdentity log, ViewStore store, LogRecords records, string stateDirectory, TimeProvider time, ILogger logger)
{
    /// <summary>The fault that a failing disk has not taken in; the log is held to it all the same.</summary>
    private volatile Unkept? _unkept;
    private LogCondition? _condition;
    private volatile bool _hasNoneProven;
    private int _givesInclusionProofs; // 1: yes, -1: no, 0: not known

    /// <summary>Who is asked: what evidence names as its source when nobody else is.</summary>
    public string Source => log.Url.ToString();

    /// <summary>Whether the log is frozen, by the store or, where that fails, by what this process has seen.</summary>
    /// <param name="isKnown">Whether it was when last looked at: a disk that cannot be read unfreezes nobody.</param>
    public bool IsFrozen(bool isKnown)
    {
        if (_unkept is { } unkept)
        {
            Keep(unkept);
            return true;
        }

        return OnDisk(() => store.IsFrozen(log.Key), isKnown);
    }

    /// <summary>Takes in what the map was proven to hold for a key; the fault when it has held something else before.</summary>
    /// <param name="entry">What it was proven to hold.</param>
    /// <param name="isOfMirror">Whether a mirror has proven it. It holds all entries itself, and they do not change: no more is remembered
    /// of them, and what the log had proven before it was mirrored is all that can stand against it.</param>
    public LogFault? Hold(ProvenEntry entry, bool isOfMirror = false)
    {
        if (isOfMirror && (_hasNoneProven || (_hasNoneProven = !OnDisk(() => records.HasProven(log.Key), true))))
        {
            return null;
        }

        var first = OnDisk(() => records.FindProven(log.Key, entry.Key), null);
        if (first is null || first.Map.Value != entry.Map.Value)
        {
            var fault = first is null ? null : new LogFault.TwoEntries(first, entry);
            if (fault is { IsShown: true })
            {
                return fault;
            }

            if (!isOfMirror)
            {
                records.KeepProven(entry, isFirst: first is null); // nothing was kept, or what was proves nothing
            }
        }

        return null;
    }

    /// <summary>Keeps a fault's evidence, in the database and as a file: the log is frozen from now on.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="from">Who has shown it.</param>
    public void Freeze(LogFault fault, string from)
    {
        var evidence = FaultEvidence.Write(fault, time.GetUtcNow(), from);
        Keep(new Unkept(fault.Heads[0], evidence));
        logger.LogFrozen(log.Name, fault.Kind, from, KeepFile(evidence));
    }

    /// <summary>Writes the evidence file of a frozen log, if it is not there: the process may have ended between the database and the
    /// file.</summary>
    /// <returns>Where it is; empty when what is kept is no evidence.</returns>
    public string KeepFile(byte[] evidence)
    {
        if (!FaultEvidence.TryVerify(evidence, [log.Key], out var read, out _))
        {
            return "";
        }

        var file = Path.Combine(stateDirectory, "evidence", $"{log.Name}-{read.Fault.Kind}-{read.SeenAt.Replace("-", "", StringComparison.Ordinal).Replace(":", "", StringComparison.Ordinal)}.json");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            if (!File.Exists(file))
            {
                var part = $"{file}.{Guid.NewGuid():N}.part";
                File.WriteAllBytes(part, evidence);
                File.Move(part, file, overwrite: true); // whole or not at all
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            logger.EvidenceFileNotWritten(file, exception.Message);
        }

        return file;
    }

    /// <summary>Notes how the log fares; written when that has changed, and once a minute.</summary>
    /// <param name="failure">Why its head was not taken in; null when it was.</param>
    /// <param name="hasGrown">Whether it was a larger one.</param>
    public void Note(string? failure, bool hasGrown)
    {
        var now = time.GetUtcNow();
        var last = _condition ??= OnDisk(() => records.Condition(log.Key), new LogCondition(null, null, null, null))!;
        var next = failure is null
            ? new LogCondition(now, hasGrown ? now : last.GrownAt ?? now, null, null)
            : last with { Failure = failure, FailingSince = last.FailingSince ?? now };
        if (hasGrown || next.Failure != last.Failure || (failure is null && now - last.SeenAt > TimeSpan.FromMinutes(1))
            || (failure is null && last.SeenAt is null))
        {
            _condition = next;
            records.KeepCondition(log.Key, next);
        }
    }

    /// <summary>Notes whether the log gives inclusion proofs; written when that has changed.</summary>
    public void NoteInclusionProofs(bool areGiven)
    {
        if (Interlocked.Exchange(ref _givesInclusionProofs, areGiven ? 1 : -1) == (areGiven ? 1 : -1))
        {
            return;
        }

        if (!areGiven)
        {
            logger.NoInclusionProofs(log.Name);
        }

        records.KeepLackOfInclusionProofs(log.Key, areGiven ? null : time.GetUtcNow());
    }

    /// <summary>Has the store freeze the log; what it does not take is tried again whenever it is looked at.</summary>
    private void Keep(Unkept fault) => _unkept = OnDisk(
        () =>
        {
            store.Freeze(fault.Head, fault.Evidence);
            return true;
        },
        false) ? null : fault;

    private T OnDisk<T>(Func<T> act, T otherwise)
    {
        try
        {
            return act();
        }
        catch (SqliteException exception)
        {
            logger.ViewNotKept(log.Name, exception.Message);
            return otherwise;
        }
    }

    private sealed record Unkept(VerifiedTreeHead Head, byte[] Evidence);
}
