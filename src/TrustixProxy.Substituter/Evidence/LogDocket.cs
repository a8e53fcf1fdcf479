using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Holds one log to what it has proven before, and keeps the evidence when it contradicts itself.</summary>
/// <param name="name">The log's name.</param>
/// <param name="key">The log's key.</param>
/// <param name="address">Where it is asked, for the evidence.</param>
/// <param name="store">Where faults are kept.</param>
/// <param name="records">What was proven before.</param>
/// <param name="stateDirectory">Where evidence files go, into <c>evidence/</c>.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where it is told.</param>
internal sealed class LogDocket(string name, LogKey key, Uri address, ViewStore store, LogRecords records, string stateDirectory, TimeProvider time, ILogger logger)
{
    /// <summary>What a failing disk has not taken in; the log is held to it all the same.</summary>
    private volatile bool _isFrozenHere;
    private LogCondition? _condition;

    /// <summary>Who is asked: what evidence names as its source when nobody else is.</summary>
    public string Source => address.ToString();

    /// <summary>Whether the log is frozen, by the store or, where that fails, by what this process has seen.</summary>
    public bool IsFrozen => OnDisk(() => store.IsFrozen(key), _isFrozenHere) || _isFrozenHere;

    /// <summary>Takes in what the map was proven to hold for a key; the fault when it has held something else before.</summary>
    public LogFault? Hold(ProvenEntry entry)
    {
        var first = OnDisk(() => records.FindProven(key, entry.Key), null);
        if (first is null || first.Map.Value != entry.Map.Value)
        {
            var fault = first is null ? null : new LogFault.TwoEntries(first, entry);
            if (fault is { IsShown: true })
            {
                return fault;
            }

            records.KeepProven(entry, isFirst: first is null); // nothing was kept, or what was proves nothing
        }

        return null;
    }

    /// <summary>Keeps a fault's evidence, in the database and as a file: the log is frozen from now on.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="from">Who has shown it.</param>
    public void Freeze(LogFault fault, string from)
    {
        var now = time.GetUtcNow();
        var evidence = FaultEvidence.Write(fault, now, from);
        _isFrozenHere = !OnDisk(() => Do(() => store.Freeze(fault.Heads[0], evidence)), false);
        var file = Path.Combine(stateDirectory, "evidence", $"{name}-{fault.Kind}-{now:yyyyMMdd'T'HHmmss'Z'}.json");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, evidence);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            logger.EvidenceFileNotWritten(file, exception.Message);
        }

        logger.LogFrozen(name, fault.Kind, from, file);
    }

    /// <summary>Notes how the log fares; written when that has changed, and once a minute.</summary>
    /// <param name="failure">Why its head was not taken in; null when it was.</param>
    /// <param name="hasGrown">Whether it was a larger one.</param>
    public void Note(string? failure, bool hasGrown)
    {
        var now = time.GetUtcNow();
        var last = _condition ??= OnDisk(() => records.Condition(key), new LogCondition(null, null, null, null))!;
        var next = failure is null
            ? new LogCondition(now, hasGrown ? now : last.GrownAt ?? now, null, null)
            : last with { Failure = failure, FailingSince = last.FailingSince ?? now };
        if (hasGrown || next.Failure != last.Failure || (failure is null && now - last.SeenAt > TimeSpan.FromMinutes(1)) || (failure is null && last.SeenAt is null))
        {
            _condition = next;
            records.KeepCondition(key, next);
        }
    }

    private static bool Do(Action act)
    {
        act();
        return true;
    }

    private T OnDisk<T>(Func<T> act, T otherwise)
    {
        try
        {
            return act();
        }
        catch (SqliteException exception)
        {
            logger.ViewNotKept(name, exception.Message);
            return otherwise;
        }
    }
}
