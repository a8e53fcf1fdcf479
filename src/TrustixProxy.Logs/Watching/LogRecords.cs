using System.Collections.Concurrent;
using Google.Protobuf;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>The recent condition of a log.</summary>
/// <param name="SeenAt">When its last head was accepted; accurate to the minute while nothing changes.</param>
/// <param name="GrownAt">When its head last grew.</param>
/// <param name="Failure">Why it fails; null when it does not.</param>
/// <param name="FailingSince">When the failure began; null when it does not fail.</param>
public sealed record LogCondition(DateTimeOffset? SeenAt, DateTimeOffset? GrownAt, string? Failure, DateTimeOffset? FailingSince);

/// <summary>That too few of a log's demanded witnesses have lately seen its head.</summary>
/// <param name="Since">Since when.</param>
/// <param name="Why">What is wrong, which witnesses are missing, and what helps.</param>
public sealed record WitnessGap(DateTimeOffset Since, string Why)
{
    /// <summary>Returns <c>unwitnessed since 2026-11-29 10:00:00Z: …</c>.</summary>
    public override string ToString() => $"unwitnessed since {Since:yyyy-MM-dd HH:mm:ss}Z: {Why}";
}

/// <summary>Remembers what logs' maps were proven to hold, which must not change, and each log's condition. No request waits for its
/// writes.</summary>
public sealed class LogRecords
{
    /// <summary>Maximum number of remembered entries, of all logs together; the newest are kept.</summary>
    private const int MaxProven = 200_000;

    /// <summary>Number of new entries after which the oldest are dropped.</summary>
    private const int PruneEvery = 1_000;

    private readonly StateWriter _writer;
    private readonly StateDatabase _database;
    private readonly ConcurrentDictionary<(string LogId, Digest Key), ProvenEntry> _unwritten = new();
    private int _kept;

    public LogRecords(StateWriter state)
    {
        (_writer, _database) = (state, state.Database);
        _database.Ensure("""
            CREATE TABLE IF NOT EXISTS proven (number INTEGER PRIMARY KEY, log_id TEXT NOT NULL, key BLOB NOT NULL, head BLOB NOT NULL,
                map BLOB NOT NULL, UNIQUE (log_id, key));
            CREATE TABLE IF NOT EXISTS log_condition (log_id TEXT PRIMARY KEY, seen_at INTEGER, grown_at INTEGER, failure TEXT,
                failing_since INTEGER) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS log_without_inclusion_proofs (log_id TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS log_unwitnessed (log_id TEXT PRIMARY KEY, since INTEGER NOT NULL, why TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS log_head_age (log_id TEXT NOT NULL, clock INTEGER NOT NULL, at INTEGER NOT NULL,
                size INTEGER NOT NULL, PRIMARY KEY (log_id, clock, at)) WITHOUT ROWID;
            """);
    }

    /// <summary>Finds the entry a log was first proven to hold for a key; null when none is remembered.</summary>
    public ProvenEntry? FindProven(LogKey key, ReadOnlyMemory<byte> mapKey)
    {
        if (_unwritten.TryGetValue((key.LogId, Digest.Of(mapKey.Span)), out var unwritten))
        {
            return unwritten;
        }

        var (head, map) = _database.First(
            "SELECT head, map FROM proven WHERE log_id = $id AND key = $key",
            row => (row.Bytes(0), row.Bytes(1)),
            key.LogId, mapKey.ToArray());
        return WireMessage.TryParse(LogHead.Parser, head, out var message) && SignedTreeHead.TryRead(message, out var read, out _)
            && key.TryVerify(read, out var verified, out _)
            && WireMessage.TryParse(MapValueResponse.Parser, map, out var answer)
                ? new ProvenEntry(verified, mapKey, answer)
                : null;
    }

    /// <summary>Whether any proven entry of a log is remembered.</summary>
    public bool HasProven(LogKey key) => _unwritten.Keys.Any(name => name.LogId == key.LogId)
        || _database.First("SELECT EXISTS (SELECT 1 FROM proven WHERE log_id = $id)", row => row.Number(0) is 1, key.LogId);

    /// <summary>Remembers a proven entry of a log.</summary>
    /// <param name="isFirst">Whether an entry already remembered for the key stays.</param>
    public void KeepProven(ProvenEntry entry, bool isFirst)
    {
        var name = (entry.Head.Key.LogId, Digest.Of(entry.Key.Span));
        var kept = _unwritten.AddOrUpdate(name, entry, (_, known) => isFirst ? known : entry);
        if (ReferenceEquals(kept, entry))
        {
            _ = _writer.Write(() => Write(entry, isFirst)).ContinueWith(
                _ => _unwritten.TryRemove(new KeyValuePair<(string, Digest), ProvenEntry>(name, entry)), TaskScheduler.Default);
        }
    }

    /// <summary>Forgets all proven entries of a log, and since when it has held them.</summary>
    public void ForgetHistory(LogKey key) => _database.Together(() =>
    {
        _database.Execute("DELETE FROM proven WHERE log_id = $id", key.LogId);
        _database.Execute("DELETE FROM log_head_age WHERE log_id = $id", key.LogId);
    });

    public LogCondition Condition(LogKey key) =>
        _database.First(
            "SELECT seen_at, grown_at, failure, failing_since FROM log_condition WHERE log_id = $id",
            row => new LogCondition(Time(row, 0), Time(row, 1), row.IsNull(2) ? null : row.Text(2), Time(row, 3)),
            key.LogId) ?? new LogCondition(null, null, null, null);

    public void KeepCondition(LogKey key, LogCondition condition) => _writer.Write(() => _database.Execute(
        "INSERT OR REPLACE INTO log_condition (log_id, seen_at, grown_at, failure, failing_since) VALUES ($id, $seen, $grown, $failure, "
            + "$since)",
        key.LogId, condition.SeenAt?.ToUnixTimeMilliseconds(), condition.GrownAt?.ToUnixTimeMilliseconds(), condition.Failure,
            condition.FailingSince?.ToUnixTimeMilliseconds()));

    /// <summary>Since when a log has been known to lack inclusion proofs; null when it gives them or was not asked.</summary>
    public DateTimeOffset? LacksInclusionProofsSince(LogKey key) =>
        _database.First("SELECT since FROM log_without_inclusion_proofs WHERE log_id = $id", row => Time(row, 0), key.LogId);

    /// <summary>Remembers since when a log lacks inclusion proofs; null when it gives them.</summary>
    public void KeepLackOfInclusionProofs(LogKey key, DateTimeOffset? since) => _writer.Write(() => _database.Execute(
        since is null ? "DELETE FROM log_without_inclusion_proofs WHERE log_id = $id"
            : "INSERT OR IGNORE INTO log_without_inclusion_proofs (log_id, since) VALUES ($id, $since)",
        since is null ? [key.LogId] : [key.LogId, since.Value.ToUnixTimeMilliseconds()]));

    /// <summary>Since when, and why, a log's heads have been unwitnessed; null when they are witnessed, or were not looked at.</summary>
    public WitnessGap? WitnessGap(LogKey key) => _database.First(
        "SELECT since, why FROM log_unwitnessed WHERE log_id = $id", row => new WitnessGap(Time(row, 0)!.Value, row.Text(1)), key.LogId);

    /// <summary>Remembers that a log's heads are unwitnessed; null when they are witnessed.</summary>
    public void KeepWitnessGap(LogKey key, WitnessGap? gap) => _writer.Write(() => _database.Execute(
        gap is null ? "DELETE FROM log_unwitnessed WHERE log_id = $id"
            : "INSERT OR REPLACE INTO log_unwitnessed (log_id, since, why) VALUES ($id, $since, $why)",
        gap is null ? [key.LogId] : [key.LogId, gap.Since.ToUnixTimeMilliseconds(), gap.Why]));

    private void Write(ProvenEntry entry, bool isFirst)
    {
        _database.Execute(
            $"INSERT OR {(isFirst ? "IGNORE" : "REPLACE")} INTO proven (log_id, key, head, map) VALUES ($id, $key, $head, $map)",
            entry.Head.Key.LogId, entry.Key.ToArray(), entry.Head.ToMessage().ToByteArray(), entry.Map.ToByteArray());
        if (++_kept % PruneEvery is 0)
        {
            _database.Execute($"DELETE FROM proven WHERE number <= (SELECT max(number) FROM proven) - {MaxProven}");
        }
    }

    private static DateTimeOffset? Time(Row row, int column) =>
        row.IsNull(column) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.Number(column));
}
