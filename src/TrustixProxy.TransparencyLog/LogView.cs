namespace TrustixProxy.TransparencyLog;

/// <summary>Why a signed head does not become a log's new view. Only <see cref="LogFault"/> counts against the log: the rest may be the
/// network's doing.</summary>
public enum LogViewError
{
    /// <summary>The head is the new view, or already known.</summary>
    None,

    /// <summary>The head belongs to another log.</summary>
    OtherLog,

    /// <summary>The head is older than the view: a replay, or a log set back.</summary>
    Older,

    /// <summary>The log grew, but its map-head log, which gets a leaf per head, did not.</summary>
    MapHeadSize,

    /// <summary>The log's consistency proof is invalid.</summary>
    Consistency,

    /// <summary>The map-head log's consistency proof is invalid.</summary>
    MapHeadConsistency,

    /// <summary>The log contradicted itself under its own signature; the fault holds the evidence.</summary>
    Fault,
}

/// <summary>The view of a log: the newest head proven consistent with all older ones. It only grows.</summary>
public sealed class LogView
{
    /// <summary>Creates a first view; there is nothing yet to compare the head with.</summary>
    public LogView(VerifiedTreeHead head) => Head = head;

    /// <summary>The newest head.</summary>
    public VerifiedTreeHead Head { get; }

    /// <summary>Advances the view to a signed head.</summary>
    /// <param name="next">The head.</param>
    /// <param name="logProof">Consistency proof of the log, from the view's size to the head's; empty when the head is not newer.</param>
    /// <param name="mapHeadProof">Consistency proof of the map-head log.</param>
    /// <param name="view">The new view; this one when the head is already known.</param>
    /// <param name="error">Why the head is rejected.</param>
    /// <param name="fault">With <see cref="LogViewError.Fault"/>: the evidence.</param>
    public bool TryAdvance(
        VerifiedTreeHead next, ReadOnlySpan<Digest> logProof, ReadOnlySpan<Digest> mapHeadProof,
        [NotNullWhen(true)] out LogView? view, out LogViewError error, out LogFault? fault)
    {
        var (known, said) = (Head.Content, next.Content);
        fault = null;
        error = next.Key != Head.Key ? LogViewError.OtherLog
            : said.TreeSize < known.TreeSize ? LogViewError.Older
            : said.TreeSize > known.TreeSize ? CheckGrowth(next, logProof, mapHeadProof, out fault)
            : said == known ? LogViewError.None
            : LogViewError.Fault;
        if (error is LogViewError.Fault)
        {
            fault ??= new LogFault.SplitView(Head, next);
        }

        view = error is not LogViewError.None ? null : said == known ? this : new LogView(next);
        return view is not null;
    }

    private LogViewError CheckGrowth(
        VerifiedTreeHead next, ReadOnlySpan<Digest> logProof, ReadOnlySpan<Digest> mapHeadProof, out LogFault? fault)
    {
        var (older, newer) = (Head.Content, next.Content);
        fault = null;
        if (!ConsistencyProof.TryVerify(older.TreeSize, newer.TreeSize, older.LogRoot, newer.LogRoot, logProof, out var logError))
        {
            fault = logError is ProofError.OlderRoot ? new LogFault.RewrittenPast(Head, next, logProof.ToArray(), IsMapHeadLog: false)
                : null;
            return fault is null ? LogViewError.Consistency : LogViewError.Fault;
        }

        if (newer.MapHeadSize <= older.MapHeadSize)
        {
            return LogViewError.MapHeadSize; // after the log's own proof: a rewritten past is proven whatever the other sizes say
        }

        if (!ConsistencyProof.TryVerify(
            older.MapHeadSize, newer.MapHeadSize, older.MapHeadRoot, newer.MapHeadRoot, mapHeadProof, out var mapHeadError))
        {
            fault = mapHeadError is ProofError.OlderRoot
                ? new LogFault.RewrittenPast(Head, next, mapHeadProof.ToArray(), IsMapHeadLog: true) : null;
            return fault is null ? LogViewError.MapHeadConsistency : LogViewError.Fault;
        }

        return LogViewError.None;
    }
}
