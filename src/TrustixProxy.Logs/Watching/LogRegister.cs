using System.Collections.Immutable;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Watching;

/// <summary>The state of a log, in one word.</summary>
public enum LogHealth
{
    /// <summary>Answers and grows.</summary>
    Live,

    /// <summary>Answers, but has not grown for long: it has stopped, or an attacker withholds its new heads.</summary>
    Idle,

    /// <summary>Has not been asked, or has not answered, for a while.</summary>
    Stale,

    /// <summary>Its last head was rejected.</summary>
    Failing,

    /// <summary>Answers, but too few of its demanded witnesses have lately seen its head, so its votes do not count.</summary>
    Unwitnessed,

    /// <summary>Has contradicted itself; its votes do not count.</summary>
    Frozen,

    /// <summary>Has never answered.</summary>
    Unseen,
}

/// <summary>The status of one log.</summary>
/// <param name="Url">The log's address.</param>
/// <param name="Size">Number of entries under the newest accepted head; null before the first.</param>
/// <param name="SeenAt">When it last answered; null when it never has.</param>
/// <param name="GrownAt">When its head last grew; null when it never has.</param>
/// <param name="State">live, stale since when, unwitnessed or failing since when and why, or frozen and why.</param>
/// <param name="Health">The state in one word.</param>
/// <param name="Unfreezings">When and why it was unfrozen before.</param>
public sealed record LogStatus(
    string Name, string Url, long? Size, DateTimeOffset? SeenAt, DateTimeOffset? GrownAt, string State,
        [property: JsonIgnore] LogHealth Health, IReadOnlyList<string> Unfreezings)
{
    /// <summary>Whether its votes do not count.</summary>
    public bool IsFrozen => Health is LogHealth.Frozen;

    /// <summary>Whether it can vote.</summary>
    [JsonIgnore]
    public bool IsHeard => Health is LogHealth.Live or LogHealth.Idle;
}

/// <summary>Reads the stored state of a proxy's logs, whether the proxy runs or not; unfreezes them.</summary>
public sealed class LogRegister : IDisposable
{
    /// <summary>Silence after which a log is stale, whatever the reason.</summary>
    private static readonly TimeSpan StaleAfter = TimeSpan.FromMinutes(5);

    /// <summary>Time without growth after which an answering log is stale.</summary>
    private static readonly TimeSpan StaleUngrown = TimeSpan.FromDays(7);

    private const string WithoutProofs = "gives no inclusion proofs: set inclusionProof to optional";

    private readonly ImmutableArray<LogOptions> _logs;
    private readonly TimeProvider _time;
    private readonly ViewStore _views;
    private readonly StateWriter _state;
    private readonly LogRecords _records;

    /// <param name="stateDirectory">The directory of the state database.</param>
    public LogRegister(ImmutableArray<LogOptions> logs, string stateDirectory, TimeProvider? time = null)
        : this(logs, new ViewStore(stateDirectory), new StateWriter(stateDirectory), time ?? TimeProvider.System)
    {
    }

    public LogRegister(ImmutableArray<LogOptions> logs, ViewStore views, StateWriter state, TimeProvider time) =>
        (_logs, _views, _state, _records, _time) = (logs, views, state, new LogRecords(state), time);

    /// <summary>Lists all logs, in the order of the configuration.</summary>
    public IReadOnlyList<LogStatus> List() => [.. _logs.Select(log => StatusOf(log))];

    /// <summary>Unfreezes a log; false when it is not frozen.</summary>
    /// <param name="name">The log's name.</param>
    /// <param name="reason">The operator's reason; kept.</param>
    public bool Unfreeze(string name, string reason)
    {
        var key = _logs.Single(log => log.Elector.Name == name).Elector.Key;
        if (!_views.IsFrozen(key))
        {
            return false;
        }

        _records.ForgetHistory(key); // otherwise its old entries would freeze it again
        return _views.Unfreeze(key, reason, _time.GetUtcNow());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _views.Dispose();
        _state.Dispose();
    }

    private LogStatus StatusOf(LogOptions log)
    {
        var (name, url, key) = (log.Elector.Name, log.Url, log.Elector.Key);
        var (stored, condition) = (_views.Load(key), _records.Condition(key));
        var unfreezings = _views.Unfreezings(key).Select(entry => $"{entry.At:yyyy-MM-dd HH:mm:ss}Z ({entry.Reason})").ToList();
        var size = stored.View?.Head.Content.TreeSize;
        var (health, state) = StateOf(stored, condition, log);
        return new LogStatus(name, url.ToString(), size, condition.SeenAt, condition.GrownAt, state, health, unfreezings);
    }

    private (LogHealth Health, string State) StateOf(StoredView stored, LogCondition condition, LogOptions log)
    {
        var key = log.Elector.Key;
        if (stored.Fault is { } fault)
        {
            return (LogHealth.Frozen, FaultEvidence.TryVerify(fault, [key], out var evidence, out _)
                ? $"frozen: {evidence.Fault.Kind}, seen {evidence.SeenAt} from {evidence.From}"
                : "frozen: the stored evidence is damaged");
        }

        return condition.Failure is { } failure
            ? (LogHealth.Failing, $"failing since {condition.FailingSince:yyyy-MM-dd HH:mm:ss}Z: "
                + (failure is nameof(SilenceReason.NoInclusionProofs) ? WithoutProofs : failure))
            : log is { IsMirrored: false, Elector.RequiresInclusionProof: true } && _records.LacksInclusionProofsSince(key) is { } since
                ? (LogHealth.Failing,
                    $"failing since {since:yyyy-MM-dd HH:mm:ss}Z: {WithoutProofs}")
            : condition.SeenAt is not { } seen ? (LogHealth.Unseen, "never seen")
            : _time.GetUtcNow() - seen > StaleAfter ? (LogHealth.Stale, $"stale since {seen:yyyy-MM-dd HH:mm:ss}Z")
            : log.Elector.Witnesses is not null && _records.WitnessGap(key) is { } gap ? (LogHealth.Unwitnessed, gap.ToString())
            : _time.GetUtcNow() - condition.GrownAt > StaleUngrown
                ? (LogHealth.Idle, $"stale since {condition.GrownAt:yyyy-MM-dd HH:mm:ss}Z: it answers but does not grow")
            : (LogHealth.Live, "live");
    }
}
