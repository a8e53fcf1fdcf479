using System.Text.Json;
using Google.Protobuf;
using TrustixProxy.Substituter.Operations;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Keeps what each log is held to, across restarts and processes. Views change by compare-and-swap only, so there is one history; heads are verified again when they are read.</summary>
internal sealed class ViewStore(string stateDirectory) : IDisposable
{
    private readonly StateDatabase _database = new(
        stateDirectory,
        isDurable: true,
        "CREATE TABLE IF NOT EXISTS log_view (log_id TEXT PRIMARY KEY, head BLOB NOT NULL, fault TEXT) WITHOUT ROWID;");

    /// <summary>The view that is kept, and whether the log is frozen; no view when there is none, or what is kept does not bear the log's signature.</summary>
    public (LogView? View, bool IsFrozen) Load(LogKey key)
    {
        var (bytes, fault) = _database.First(
            "SELECT head, fault FROM log_view WHERE log_id = $id",
            row => (row.GetFieldValue<byte[]>(0), row.IsDBNull(1) ? null : row.GetString(1)),
            ("$id", key.LogId));
        var isGood = WireMessage.TryParse(LogHead.Parser, bytes, out var message)
            & SignedTreeHead.TryRead(message ?? new LogHead(), out var head, out _);
        return isGood && key.TryVerify(head!, out var verified, out _) ? (new LogView(verified), fault is not null) : (null, fault is not null);
    }

    /// <summary>Puts <paramref name="next"/> in the place of <paramref name="known"/>; false when another process was faster.</summary>
    public bool TrySwap(LogView? known, LogView next)
    {
        var (id, head) = (next.Head.Key.LogId, next.Head.ToMessage().ToByteArray());
        return known is null
            ? _database.Execute("INSERT OR IGNORE INTO log_view (log_id, head) VALUES ($id, $head)", ("$id", id), ("$head", head)) is 1
            : _database.Execute(
                "UPDATE log_view SET head = $head WHERE log_id = $id AND head = $known",
                ("$id", id), ("$head", head), ("$known", known.Head.ToMessage().ToByteArray())) is 1;
    }

    /// <summary>Keeps the evidence of a fault: from now on the log is frozen.</summary>
    public void Freeze(LogView known, LogFault fault, DateTimeOffset seenAt) =>
        _database.Execute(
            "INSERT INTO log_view (log_id, head, fault) VALUES ($id, $head, $fault) ON CONFLICT (log_id) DO UPDATE SET fault = coalesce(fault, $fault)",
            ("$id", known.Head.Key.LogId), ("$head", known.Head.ToMessage().ToByteArray()), ("$fault", Describe(known.Head.Key, fault, seenAt)));

    public void Dispose() => _database.Dispose();

    /// <summary>The evidence as JSON: both signed heads as their log sent them, and the proof.</summary>
    private static string Describe(LogKey key, LogFault fault, DateTimeOffset seenAt)
    {
        var (kind, first, second, proof) = fault switch
        {
            LogFault.SplitView split => ("split-view", split.First, split.Second, []),
            LogFault.RewrittenPast past => (past.IsMapHeadLog ? "rewritten-map-heads" : "rewritten-log", past.Older, past.Newer, past.Proof),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        return JsonSerializer.Serialize(new
        {
            version = 1,
            kind,
            logKey = key.ToString(),
            seenAt,
            first = first.ToMessage().ToByteArray(),
            second = second.ToMessage().ToByteArray(),
            proof = proof.Select(node => node.ToString()),
        });
    }
}
