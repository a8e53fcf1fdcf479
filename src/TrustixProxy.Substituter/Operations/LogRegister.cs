using TrustixProxy.Substituter.Evidence;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Operations;

/// <summary>How one log fares.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Url">Where it is.</param>
/// <param name="Size">Entries under the newest head that was taken in; null when there is none.</param>
/// <param name="SeenAt">When it last answered; null when it never has.</param>
/// <param name="GrownAt">When its head last was a larger one; null when none was seen.</param>
/// <param name="State">live, stale since when, failing since when and why, or frozen and why.</param>
/// <param name="IsFrozen">Whether it is unheard.</param>
/// <param name="Unfreezings">When and why it was unfrozen before.</param>
public sealed record LogStatus(string Name, string Url, long? Size, DateTimeOffset? SeenAt, DateTimeOffset? GrownAt, string State, bool IsFrozen, IReadOnlyList<string> Unfreezings);

/// <summary>Looks at what a proxy, running or not, keeps of its logs; and unfreezes them.</summary>
/// <param name="options">What the proxy is told.</param>
/// <param name="time">The clock; the system's when null.</param>
public sealed class LogRegister(SubstituterOptions options, TimeProvider? time = null) : IDisposable
{
    /// <summary>A log that has not answered for so long is stale, whatever the reason.</summary>
    private static readonly TimeSpan StaleAfter = TimeSpan.FromMinutes(5);

    /// <summary>So is one that answers, and has not grown for so long: it has stopped, or somebody on the way holds its new heads back.</summary>
    private static readonly TimeSpan StaleUngrown = TimeSpan.FromDays(7);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ViewStore _views = new(options.StateDirectory);
    private readonly LogRecords _records = new(options.StateDirectory);

    /// <summary>All logs, in the order of the configuration.</summary>
    public IReadOnlyList<LogStatus> List() => [.. options.Logs.Select(log => StatusOf(log.Elector.Name, log.Url, log.Elector.Key))];

    /// <summary>Lets a frozen log be heard again; false when it is not frozen.</summary>
    /// <param name="name">The log's name.</param>
    /// <param name="reason">Why; kept.</param>
    public bool Unfreeze(string name, string reason)
    {
        var key = options.Logs.Single(log => log.Elector.Name == name).Elector.Key;
        if (!_views.IsFrozen(key))
        {
            return false;
        }

        _records.ForgetProven(key); // else its old word would freeze it again
        return _views.Unfreeze(key, reason, _time.GetUtcNow());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _views.Dispose();
        _records.Dispose();
    }

    private LogStatus StatusOf(string name, Uri url, LogKey key)
    {
        var (stored, condition) = (_views.Load(key), _records.Condition(key));
        var unfreezings = _views.Unfreezings(key).Select(entry => $"{entry.At:yyyy-MM-dd HH:mm:ss}Z ({entry.Reason})").ToList();
        var size = stored.View?.Head.Content.TreeSize;
        return new LogStatus(name, url.ToString(), size, condition.SeenAt, condition.GrownAt, StateOf(stored, condition, key), stored.IsFrozen, unfreezings);
    }

    private string StateOf(StoredView stored, LogCondition condition, LogKey key)
    {
        if (stored.Fault is { } fault)
        {
            return FaultEvidence.TryVerify(fault, [key], out var evidence, out _) ? $"frozen: {evidence.Fault.Kind}, seen {evidence.SeenAt} from {evidence.From}" : "frozen: the evidence that is kept is damaged";
        }

        return condition.Failure is { } failure ? $"failing since {condition.FailingSince:yyyy-MM-dd HH:mm:ss}Z: {failure}"
            : condition.SeenAt is not { } seen ? "never seen"
            : _time.GetUtcNow() - seen > StaleAfter ? $"stale since {seen:yyyy-MM-dd HH:mm:ss}Z"
            : _time.GetUtcNow() - condition.GrownAt > StaleUngrown ? $"stale since {condition.GrownAt:yyyy-MM-dd HH:mm:ss}Z: it answers, and does not grow"
            : "live";
    }
}
