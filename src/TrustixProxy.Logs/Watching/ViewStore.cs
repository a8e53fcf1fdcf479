using Google.Protobuf;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>The stored state of a log.</summary>
/// <param name="View">The view; null when none is stored, or the log's signature on it is invalid.</param>
/// <param name="Head">The stored head's bytes, unverified; null when there are none.</param>
/// <param name="Fault">The evidence that froze the log; null when it is not frozen.</param>
public readonly record struct StoredView(LogView? View, byte[]? Head, byte[]? Fault)
{
    public bool IsFrozen => Fault is not null;
}

/// <summary>Stores each log's view across restarts and processes. Views change only by compare-and-swap, so there is one history; heads are
/// verified again on read.</summary>
public sealed class ViewStore(string stateDirectory) : IDisposable
{
    private readonly StateDatabase _database = new(
        stateDirectory,
        isDurable: true,
        """
        CREATE TABLE IF NOT EXISTS log_view (log_id TEXT PRIMARY KEY, head BLOB NOT NULL, fault BLOB) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS unfrozen (number INTEGER PRIMARY KEY, log_id TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
            fault BLOB NOT NULL);
        """);

    /// <summary>Loads the stored state of a log.</summary>
    public StoredView Load(LogKey key)
    {
        var (bytes, fault) = _database.First(
            "SELECT head, fault FROM log_view WHERE log_id = $id",
            row => (row.Bytes(0), row.IsNull(1) ? null : row.Bytes(1)),
            key.LogId);
        var isGood = WireMessage.TryParse(LogHead.Parser, bytes, out var message)
            & SignedTreeHead.TryRead(message ?? new LogHead(), out var head, out _);
        return new StoredView(isGood && key.TryVerify(head!, out var verified, out _) ? new LogView(verified) : null, bytes, fault);
    }

    /// <summary>Whether a fault of the log is stored, including one that another process found.</summary>
    public bool IsFrozen(LogKey key) =>
        _database.First("SELECT fault IS NOT NULL FROM log_view WHERE log_id = $id", row => row.Number(0) is not 0, key.LogId);

    /// <summary>Replaces the <paramref name="known"/> view by <paramref name="next"/>; false when another process was faster, or froze the
    /// log.</summary>
    public bool TrySwap(byte[]? known, LogView next)
    {
        var (id, head) = (next.Head.Key.LogId, next.Head.ToMessage().ToByteArray());
        return known is null
            ? _database.Execute("INSERT OR IGNORE INTO log_view (log_id, head) VALUES ($id, $head)", id, head) is 1
            : _database.Execute(
                "UPDATE log_view SET head = $head WHERE log_id = $id AND head = $known AND fault IS NULL", head, id, known) is 1;
    }

    /// <summary>Stores the evidence of a fault, which freezes the log.</summary>
    public void Freeze(VerifiedTreeHead known, byte[] evidence) =>
        _database.Execute(
            "INSERT INTO log_view (log_id, head, fault) VALUES ($id, $head, $fault) ON CONFLICT (log_id) DO UPDATE SET fault = "
                + "coalesce(fault, $fault)",
            known.Key.LogId, known.ToMessage().ToByteArray(), evidence);

    /// <summary>Unfreezes a log, which then restarts from its next head; records the reason and the evidence. False when it is not
    /// frozen.</summary>
    public bool Unfreeze(LogKey key, string reason, DateTimeOffset at)
    {
        if (Load(key).Fault is not { } fault)
        {
            return false;
        }

        _database.Together(() =>
        {
            _database.Execute("INSERT INTO unfrozen (log_id, at, reason, fault) VALUES ($id, $at, $reason, $fault)", key.LogId,
                at.ToUnixTimeMilliseconds(), reason, fault);
            _database.Execute("DELETE FROM log_view WHERE log_id = $id AND fault = $fault", key.LogId, fault);
        });
        return true;
    }

    /// <summary>Lists when and why a log was unfrozen, oldest first.</summary>
    public IReadOnlyList<(DateTimeOffset At, string Reason)> Unfreezings(LogKey key) => _database.All(
        "SELECT at, reason FROM unfrozen WHERE log_id = $id ORDER BY number",
        row => (DateTimeOffset.FromUnixTimeMilliseconds(row.Number(0)), row.Text(1)),
        key.LogId);

    /// <summary>Lists the evidence of freezes that an operator lifted.</summary>
    public IReadOnlyList<byte[]> UnfrozenFaults(LogKey key) =>
        _database.All("SELECT fault FROM unfrozen WHERE log_id = $id", row => row.Bytes(0), key.LogId);

    public void Dispose() => _database.Dispose();
}
