using Google.Protobuf;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>A view of a log, or why there is none.</summary>
/// <param name="View">The view; null when none could be had.</param>
/// <param name="Reason">Why not.</param>
public readonly record struct ViewResult(LogView? View, SilenceReason Reason);

/// <summary>One log as it is held to what it signed: fetches its head, verifies that it continues the view, keeps it. Refreshes are shared
/// by all who wait for one.</summary>
public sealed class WatchedLog(
    string name, LogKey key, LogClient client, ViewStore store, LogFaultStore docket, TimeProvider time, ILogger logger)
{
    /// <summary>How long it may be overlooked that another process has frozen the log, or a person has unfrozen it.</summary>
    private static readonly TimeSpan FrozenAge = TimeSpan.FromSeconds(1);

    /// <summary>When a view was seen that was not fetched by us, as a timestamp of the clock: it is fresh for nothing.</summary>
    private const long LongAgo = long.MinValue / 2;

    private readonly Lock _turn = new();
    private Task<SilenceReason?>? _refresh;
    private volatile Seen? _seen = Start(store, key);
    private volatile bool _isFrozen = WasFrozen(store, key, docket);
    private long _frozenCheckedAt = time.GetTimestamp();

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>The log's own calls.</summary>
    public LogClient Client => client;

    /// <summary>Whether it has contradicted itself under its own signature.</summary>
    public bool IsFrozen
    {
        get
        {
            LookAtDocketWhenDue();
            return _isFrozen;
        }
    }

    /// <summary>Who is asked: what evidence names as its source when nobody else is.</summary>
    public string Source => docket.Source;

    /// <summary>The log's key.</summary>
    public LogKey Key => key;

    /// <summary>The newest head that was taken in, be the log frozen since: others are to see it all the more. Null when there is
    /// none.</summary>
    public VerifiedTreeHead? Head => _seen?.View.Head;

    /// <summary>Takes in what the map was proven to hold; false when that contradicts what it has held: then the log is frozen.</summary>
    public bool IsHeldTo(ProvenEntry entry, bool isOfMirror = false)
    {
        var fault = docket.Hold(entry, isOfMirror);
        if (fault is not null)
        {
            Freeze(fault, docket.Source);
        }

        return fault is null;
    }

    /// <summary>Notes whether the log gives inclusion proofs, which it was asked for after it proved its map: a failed call counts only
    /// while it answers others.</summary>
    public async Task NoteInclusionProofAsync(CallResult<ProofResponse> call)
    {
        if (call.Message is not null)
        {
            docket.NoteInclusionProofs(areGiven: true);
        }
        else if (client.NoteFailedInclusionProof(call) && await RefreshAsync() is null)
        {
            docket.NoteInclusionProofs(areGiven: false);
        }
    }

    /// <summary>Freezes the log: it is unheard from now on, until a person unfreezes it.</summary>
    public void Freeze(LogFault fault, string from)
    {
        lock (_turn)
        {
            if (_isFrozen)
            {
                return; // several answers show the same fault at once: the first one's evidence is kept
            }

            _isFrozen = true;
            Interlocked.Exchange(ref _frozenCheckedAt, time.GetTimestamp());
            docket.Freeze(fault, from);
        }
    }

    /// <summary>A view that was seen at most <paramref name="maxAge"/> ago, fetched if need be; any age will do when that is
    /// infinite.</summary>
    public async Task<ViewResult> ViewAsync(TimeSpan maxAge, CancellationToken cancellation)
    {
        // Twice: a refresh that was under way already may have asked too long ago.
        var notBefore = TimestampBefore(maxAge);
        for (var attempt = 0; attempt < 2 && !IsFrozen && !(_seen?.At >= notBefore); attempt++)
        {
            if (await RefreshAsync().WaitAsync(cancellation) is { } reason)
            {
                return new ViewResult(null, reason);
            }
        }

        return IsFrozen ? new ViewResult(null, SilenceReason.Frozen) : new ViewResult(_seen!.View, default);
    }

    /// <summary>The view, if it was seen at most <paramref name="maxAge"/> ago; null else. Nothing is fetched.</summary>
    public LogView? Recent(TimeSpan maxAge) => !IsFrozen && _seen is { } seen && seen.At >= TimestampBefore(maxAge) ? seen.View : null;

    private long TimestampBefore(TimeSpan age) =>
        age == Timeout.InfiniteTimeSpan ? long.MinValue : time.GetTimestamp() - (long)(age.TotalSeconds * time.TimestampFrequency);

    private bool IsLookDue => time.GetElapsedTime(Interlocked.Read(ref _frozenCheckedAt)) > FrozenAge;

    /// <summary>Fetches the head and takes it in; null when that went well.</summary>
    public Task<SilenceReason?> RefreshAsync()
    {
        lock (_turn)
        {
            return _refresh is { IsCompleted: false } ? _refresh : _refresh = FetchAsync();
        }
    }

    /// <summary>Takes in a head that came with its proofs from the view; null when it does not continue it, or the view has moved
    /// meanwhile.</summary>
    /// <param name="known">The view that the proofs begin at.</param>
    /// <param name="answer">The head and the proofs.</param>
    /// <param name="at">When it was asked for, as a timestamp of the clock.</param>
    public VerifiedTreeHead? TakeIn(LogView known, LookupResponse answer, long at)
    {
        if (!TryVerify(known, answer.Head, out var head)
            || !HeadProofs.TryRead(answer.ConsistencyProof, out var logProof)
                || !HeadProofs.TryRead(answer.MHConsistencyProof, out var mapHeadProof)
            || Advance(known, head, logProof, mapHeadProof, docket.Source).Next is not { } next)
        {
            return null;
        }

        return TryReplaceView(known, next, BytesOf(known), at) ? next.Head : null;
    }

    /// <summary>Holds a head that others have seen against the view. Nothing but the log's own signatures and proofs moves the view, or
    /// freezes the log.</summary>
    /// <param name="head">The head; its signature was verified.</param>
    /// <param name="from">Who has shown it.</param>
    /// <returns>Whether it could be judged: false when the log did not give the proofs for that, or there is no view yet.</returns>
    public async Task<bool> HearAsync(VerifiedTreeHead head, string from)
    {
        if (IsFrozen || _seen is not { View: var known })
        {
            return false;
        }

        if (head.Content == known.Head.Content)
        {
            return true;
        }

        if (head.Content.TreeSize < known.Head.Content.TreeSize)
        {
            // the view stays; but if the older head is of another history, the log's own proof shows it
            return await AdvanceAsync(new LogView(head), known.Head, from) is { Next: not null } or { Reason: SilenceReason.Frozen };
        }

        var advance = await AdvanceAsync(known, head, from);
        if (advance.Next is { } next)
        {
            // others may show what the log has outgrown: the view is no fresher for it
            TryReplaceView(known, next, BytesOf(known), LongAgo);
        }

        return advance is { Next: not null } or { Reason: SilenceReason.Frozen };
    }

    /// <summary>Looks whether the log was frozen by another process, or unfrozen by a person. Of several who look at once, those who hold
    /// it to be frozen wait for the one who was first: none of them calls it so longer than it may.</summary>
    private void LookAtDocketWhenDue()
    {
        if (!IsLookDue || !_turn.TryEnter(_isFrozen ? TimeSpan.FromMilliseconds(500) : TimeSpan.Zero))
        {
            return; // a view is being written, or the disk hangs: the next one who asks looks again
        }

        try
        {
            if (IsLookDue)
            {
                Look();
                Interlocked.Exchange(ref _frozenCheckedAt, time.GetTimestamp());
            }
        }
        finally
        {
            _turn.Exit();
        }
    }

    private void Look()
    {
        if (docket.IsFrozen(isKnown: _isFrozen) is var isFrozen && isFrozen == _isFrozen)
        {
            return;
        }

        try
        {
            if (!isFrozen)
            {
                _seen = Start(store, key);
                logger.LogUnfrozen(name);
            }

            _isFrozen = isFrozen;
        }
        catch (SqliteException exception)
        {
            logger.ViewNotKept(name, exception.Message); // frozen until it can be read where to begin
        }
    }

    /// <summary>Puts a view in the place of the one that it was shown to continue, on the disk and here: the only way by which a view
    /// moves. False when it has moved meanwhile.</summary>
    /// <param name="known">The view that it continues; null for a first one.</param>
    /// <param name="next">The view.</param>
    /// <param name="stored">The bytes that the disk is known to have.</param>
    /// <param name="at">When it was asked for, as a timestamp of the clock.</param>
    private bool TryReplaceView(LogView? known, LogView next, byte[]? stored, long at)
    {
        lock (_turn)
        {
            if (!_isFrozen && _seen?.View is { } moved && moved != known && moved.Head.Content == next.Head.Content)
            {
                return true; // another answer with the same head was faster
            }

            var isStored = stored is not null && stored.AsSpan().SequenceEqual(BytesOf(next));
            if (_isFrozen || _seen?.View != known || !(isStored || Keep(() => store.TrySwap(stored, next))))
            {
                return false;
            }

            _seen = new Seen(next, Math.Max(at, _seen?.At ?? at));
            return true;
        }
    }

    private static byte[] BytesOf(LogView view) => view.Head.ToMessage().ToByteArray();

    private static bool WasFrozen(ViewStore store, LogKey key, LogFaultStore docket)
    {
        if (store.Load(key).Fault is not { } fault)
        {
            return false;
        }

        docket.KeepFile(fault);
        return true;
    }

    private static Seen? Start(ViewStore store, LogKey key) => store.Load(key).View is { } view ? new Seen(view, LongAgo) : null;

    private async Task<SilenceReason?> FetchAsync()
    {
        var (at, before) = (time.GetTimestamp(), _seen?.View.Head.Content.TreeSize ?? -1);
        var call = await client.GetHeadAsync(CancellationToken.None);
        SilenceReason? reason;
        try
        {
            reason = call.Message is null ? call.Failure
                : !SignedTreeHead.TryRead(call.Message, out var head, out _) ? SilenceReason.HeadMalformed
                : !key.TryVerify(head, out var verified, out _) ? SilenceReason.HeadSignature
                : await TakeInAsync(verified, at);
        }
        catch (SqliteException exception)
        {
            logger.ViewNotKept(name, exception.Message);
            reason = SilenceReason.HeadInconsistent; // what others have seen of it could not be read
        }

        if (reason is { } failure)
        {
            logger.HeadRefused(name, failure);
            EvidenceMetrics.Failed(name, failure);
        }

        docket.Note(reason?.ToString(), hasGrown: (_seen?.View.Head.Content.TreeSize ?? -1) > before);
        return reason;
    }

    private async Task<SilenceReason?> TakeInAsync(VerifiedTreeHead head, long at)
    {
        var stored = _seen is { View: var start } ? BytesOf(start) : null;

        // Three times: the view may have moved meanwhile, here or in another process, or what was stored is gone or damaged.
        for (var attempt = 0; attempt < 3; attempt++)
        {
            var known = _seen?.View;
            var (next, reason) = known is null ? (new LogView(head), (SilenceReason?)null) : await AdvanceAsync(known, head, docket.Source);
            if (next is null)
            {
                return reason is SilenceReason.HeadOlder && await HearAsync(head, docket.Source) && IsFrozen ? SilenceReason.Frozen
                    : reason;
            }

            if (TryReplaceView(known, next, stored, at))
            {
                return null;
            }

            var found = store.Load(key);
            if (found.IsFrozen)
            {
                _isFrozen = true;
                return SilenceReason.Frozen;
            }

            if (found.View is null && found.Head is not null)
            {
                logger.ViewDamaged(name);
            }

            stored = found.Head;
            if (found.View is { } other && await ReconcileAsync(other) is { } failure)
            {
                return failure;
            }
        }

        return SilenceReason.HeadInconsistent;
    }

    /// <summary>Takes over a view that another process has come to, once it was shown to continue ours: what this process has seen is
    /// forgotten no more than what the disk has.</summary>
    private async Task<SilenceReason?> ReconcileAsync(LogView other)
    {
        var known = _seen?.View;
        var (next, reason) = known is null ? (other, (SilenceReason?)null) : await AdvanceAsync(known, other.Head, docket.Source);
        if (next is not null)
        {
            TryReplaceView(known, next, BytesOf(other), LongAgo);
        }

        return reason is SilenceReason.HeadOlder ? null : reason; // the disk is behind: it is written over
    }

    private async Task<(LogView? Next, SilenceReason? Reason)> AdvanceAsync(LogView known, VerifiedTreeHead head, string from)
    {
        var proofs = await HeadProofs.FetchAsync(client, known.Head.Content, head.Content);
        if (proofs.Failure is { } failure)
        {
            return (null, failure);
        }

        var advance = Advance(known, head, proofs.Log, proofs.MapHeads, from);
        return advance.Reason is SilenceReason.HeadInconsistent
            && await HeadProofs.FindRewrittenPastAsync(client, known.Head, head) is { } fault ? Frozen(fault, from) : advance;
    }

    /// <summary>Holds a head against the view; when the two show that the log contradicts itself, it is frozen.</summary>
    private (LogView? Next, SilenceReason? Reason) Advance(
        LogView known, VerifiedTreeHead head, Digest[] logProof, Digest[] mapHeadProof, string from)
    {
        if (known.TryAdvance(head, logProof, mapHeadProof, out var next, out var error, out var fault))
        {
            return (next, null);
        }

        if (fault is not null)
        {
            return Frozen(fault, from);
        }

        return (null, error is LogViewError.Older ? SilenceReason.HeadOlder : SilenceReason.HeadInconsistent);
    }

    private (LogView? Next, SilenceReason? Reason) Frozen(LogFault fault, string from)
    {
        Freeze(fault, from);
        return (null, SilenceReason.Frozen);
    }

    /// <summary>Whether a head bears the log's signature; the one that is known was verified before.</summary>
    private bool TryVerify(LogView known, LogHead? message, [NotNullWhen(true)] out VerifiedTreeHead? head)
    {
        head = known.Head.ToMessage().Equals(message) ? known.Head : null;
        return head is not null
            || (message is not null && SignedTreeHead.TryRead(message, out var read, out _) && key.TryVerify(read, out head, out _));
    }

    /// <summary>Writes to the store. When the disk refuses, the log is still held to what this process has seen.</summary>
    private bool Keep(Func<bool> write)
    {
        try
        {
            return write();
        }
        catch (SqliteException exception)
        {
            logger.ViewNotKept(name, exception.Message);
            return true;
        }
    }

    /// <param name="View">The view.</param>
    /// <param name="At">When its head was asked for, as a timestamp of the clock; long ago for one that was kept.</param>
    private sealed record Seen(LogView View, long At);
}
