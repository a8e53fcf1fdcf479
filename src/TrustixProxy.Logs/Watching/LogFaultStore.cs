using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Watching;

/// <summary>Checks a log against what it has proven before, and keeps the evidence when it contradicts itself.</summary>
/// <param name="records">What the log has proven before.</param>
/// <param name="stateDirectory">Parent of <c>evidence/</c>, which holds the evidence files.</param>
public sealed class LogFaultStore(
    LogIdentity log, ViewStore store, LogRecords records, string stateDirectory, TimeProvider time, ILogger logger)
{
    /// <summary>A fault the disk has not stored yet; the log is frozen regardless.</summary>
    private volatile Unkept? _unkept;
    private LogCondition? _condition;
    private volatile bool _hasNoneProven;
    private int _givesInclusionProofs; // 1: yes, -1: no, 0: not known
    private readonly Lock _witnessing = new();
    private WitnessGap? _gap;
    private bool _isGapKnown;
    private DateTimeOffset _gapKeptAt;

    /// <summary>The log's address, named as the source of evidence unless another is known.</summary>
    public string Source => log.Url.ToString();

    /// <summary>Whether the log is frozen according to the store; if the store fails, according to this process.</summary>
    /// <param name="isKnown">Whether it was frozen at the last check: an unreadable disk unfreezes no log.</param>
    public bool IsFrozen(bool isKnown)
    {
        if (_unkept is { } unkept)
        {
            Keep(unkept);
            return true;
        }

        return OnDisk(() => store.IsFrozen(log.Key), isKnown);
    }

    /// <summary>Checks a proven map entry against what the log proved before for its key. Returns the fault on a contradiction.</summary>
    /// <param name="entry">The entry proven now.</param>
    /// <param name="isOfMirror">Whether a mirror proved it. A mirror holds all entries, which never change, so they are not remembered.
    /// Only what was proven before mirroring can contradict it.</param>
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
                records.KeepProven(entry, isFirst: first is null); // nothing was remembered, or what was proves nothing
            }
        }

        return null;
    }

    /// <summary>Freezes the log: stores the evidence in the database and as a file.</summary>
    /// <param name="from">The source of the evidence.</param>
    public void Freeze(LogFault fault, string from)
    {
        var evidence = FaultEvidence.Write(fault, time.GetUtcNow(), from);
        Keep(new Unkept(fault.Heads[0], evidence));
        logger.LogFrozen(log.Name, fault.Kind, from, KeepFile(evidence));
    }

    /// <summary>Writes the evidence file of a frozen log if it is missing: the process may have died between database and file.</summary>
    /// <returns>The file's path; empty when the stored bytes are no evidence.</returns>
    public string KeepFile(byte[] evidence)
    {
        if (!FaultEvidence.TryVerify(evidence, [log.Key], out var read, out _))
        {
            return "";
        }

        var seenAt = read.SeenAt.Replace("-", "", StringComparison.Ordinal).Replace(":", "", StringComparison.Ordinal);
        var file = Path.Combine(stateDirectory, "evidence", $"{log.Name}-{read.Fault.Kind}-{seenAt}.json");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            if (!File.Exists(file))
            {
                var part = $"{file}.{Guid.NewGuid():N}.part";
                File.WriteAllBytes(part, evidence);
                File.Move(part, file, overwrite: true); // atomic: the whole file or none
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            logger.EvidenceFileNotWritten(file, exception.Message);
        }

        return file;
    }

    /// <summary>Records the log's condition; written on a change, and otherwise once a minute.</summary>
    /// <param name="failure">Why the head was rejected; null when it was accepted.</param>
    /// <param name="hasGrown">Whether the head was larger than the last.</param>
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

    /// <summary>Records whether the log gives inclusion proofs; written on a change.</summary>
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

    /// <summary>Since when, and why, the log's heads are unwitnessed, as last noted; null when they are witnessed.</summary>
    public WitnessGap? WitnessGap
    {
        get
        {
            lock (_witnessing)
            {
                return _gap;
            }
        }
    }

    /// <summary>Records why the log's newest head is unwitnessed, or that it is witnessed; written on a change, and otherwise once a
    /// minute.</summary>
    /// <param name="why">What is wrong, which witnesses are missing, and what helps; null when the head is witnessed.</param>
    public void NoteWitnesses(string? why)
    {
        lock (_witnessing)
        {
            if (!_isGapKnown)
            {
                (_gap, _isGapKnown) = (OnDisk(() => records.WitnessGap(log.Key), null), true);
            }

            var now = time.GetUtcNow();
            if (_gap?.Why != why || now - _gapKeptAt > TimeSpan.FromMinutes(1)) // other processes write it too, such as explain
            {
                (_gap, _gapKeptAt) = (why is null ? null : new WitnessGap(_gap?.Since ?? now, why), now);
                records.KeepWitnessGap(log.Key, _gap);
            }
        }
    }

    /// <summary>Freezes the log in the store; a failed write is retried at the next check.</summary>
    private void Keep(Unkept fault) => _unkept = OnDisk(
        () =>
        {
            store.Freeze(fault.Head, fault.Evidence);
            return true;
        },
        false) ? null : fault;

    private T OnDisk<T>(Func<T> act, T otherwise)
    {
        var result = otherwise;
        if (DiskRefusal.Of(() => result = act()) is { } refusal)
        {
            logger.ViewNotKept(log.Name, refusal);
        }

        return result;
    }

    private sealed record Unkept(VerifiedTreeHead Head, byte[] Evidence);
}
