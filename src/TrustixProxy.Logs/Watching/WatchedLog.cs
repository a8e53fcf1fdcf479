using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>A view of a log, or why there is none.</summary>
/// <param name="View">The view; null when none could be fetched.</param>
/// <param name="Reason">Why there is none.</param>
public readonly record struct ViewResult(LogView? View, SilenceReason Reason);

/// <summary>One log, held to what it signed: fetches its head, verifies that the head continues the view, and keeps it.</summary>
/// <remarks>
/// <code>
/// refresh ──head──▶ <see cref="HeadIntake"/> ──▶ <see cref="HeldView"/>    moves when the head continues it
/// others  ──head──▶                ──▶ <see cref="FreezeFlag"/>  set when the log contradicts itself
/// </code></remarks>
public sealed class WatchedLog
{
    private readonly LogFaultStore _faults;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HeldView _view;
    private readonly FreezeFlag _freeze;
    private readonly HeadIntake _intake;
    private readonly Lock _refreshing = new();
    private Task<SilenceReason?>? _refresh, _showing;

    /// <param name="name">The log's name.</param>
    /// <param name="key">The log's key.</param>
    /// <param name="client">Asks the log.</param>
    /// <param name="store">Keeps the view on disk.</param>
    /// <param name="faults">Keeps the evidence against the log.</param>
    /// <param name="logger">Logs refused heads.</param>
    public WatchedLog(
        string name, LogKey key, LogClient client, ViewStore store, LogFaultStore faults, TimeProvider time, ILogger logger)
    {
        (Name, Key, Client, _faults, _time, _logger) = (name, key, client, faults, time, logger);
        _view = new HeldView(name, key, store, time, logger);
        _freeze = new FreezeFlag(name, _view, faults, time, logger);
        _intake = new HeadIntake(key, client, _view, _freeze, faults.Source);
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The log's own calls.</summary>
    public LogClient Client { get; }

    /// <summary>The log's key.</summary>
    public LogKey Key { get; }

    /// <summary>Which of its heads the demanded witnesses have seen; null when no witnesses are demanded.</summary>
    public WitnessWatch? Witnesses { get; init; }

    /// <summary>For how long the log has held its entries; null when no policy asks.</summary>
    public HeadAges? Ages
    {
        get;
        init
        {
            field = value;
            field?.Begin(_view.TreeSize);
        }
    }

    /// <summary>Whether it has contradicted itself under its own signature.</summary>
    public bool IsFrozen => _freeze.IsSet;

    /// <summary>What evidence names as its source when the log itself has shown it.</summary>
    public string Source => _faults.Source;

    /// <summary>The newest head that was taken in, even of a frozen log, since others need to see it; null when there is none.</summary>
    public VerifiedTreeHead? Head => _view.View?.Head;

    /// <summary>Checks an entry that the map was proven to hold against what it held before. False freezes the log: the two contradict
    /// each other.</summary>
    public bool IsHeldTo(ProvenEntry entry, bool isOfMirror = false)
    {
        var fault = _faults.Hold(entry, isOfMirror);
        if (fault is not null)
        {
            Freeze(fault, _faults.Source);
        }

        return fault is null;
    }

    /// <summary>Notes whether the log gives inclusion proofs. A failed call counts only while the log answers others.</summary>
    public async Task NoteInclusionProofAsync(CallResult<ProofResponse> call)
    {
        if (call.Message is not null)
        {
            _faults.NoteInclusionProofs(areGiven: true);
        }
        else if (Client.NoteFailedInclusionProof(call) && await RefreshAsync() is null)
        {
            _faults.NoteInclusionProofs(areGiven: false);
        }
    }

    /// <summary>Freezes the log: its votes do not count until a person unfreezes it.</summary>
    public void Freeze(LogFault fault, string from) => _freeze.Set(fault, from);

    /// <summary>Finds a view that was seen at most <paramref name="maxAge"/> ago, and fetches one if it must. An infinite age accepts
    /// any view.</summary>
    /// <param name="maxAge">The age.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="isShown">Whether the view's map root must have been shown, as for every use but to ask for that.</param>
    public async Task<ViewResult> ViewAsync(TimeSpan maxAge, CancellationToken cancellation, bool isShown = true)
    {
        // Twice: a refresh that was already under way may have asked too long ago.
        var notBefore = _view.TimestampBefore(maxAge);
        for (var attempt = 0; attempt < 2 && !IsFrozen && !_view.IsSeenSince(notBefore); attempt++)
        {
            if (await RefreshAsync().WaitAsync(cancellation) is { } refused)
            {
                return new ViewResult(null, refused);
            }
        }

        var reason = isShown && !IsShown && !IsFrozen ? await ShowAsync().WaitAsync(cancellation) : null;
        if (reason is SilenceReason.MapRootProof)
        {
            // The log does not prove this head. If it has a newer one, what becomes of that one counts.
            var refused = await RefreshAsync().WaitAsync(cancellation);
            reason = refused ?? (IsShown ? null : reason);
        }

        return IsFrozen ? new ViewResult(null, SilenceReason.Frozen)
            : reason is { } failure ? new ViewResult(null, failure)
            : new ViewResult(_view.View!, default);
    }

    /// <summary>The view, if it was seen at most <paramref name="maxAge"/> ago; null otherwise. Fetches nothing.</summary>
    public LogView? Recent(TimeSpan maxAge) => IsFrozen || !IsShown ? null : _view.FindSince(_view.TimestampBefore(maxAge));

    /// <summary>Fetches the head and takes it in; returns null, or why that failed. All who wait share one refresh.</summary>
    public Task<SilenceReason?> RefreshAsync()
    {
        lock (_refreshing)
        {
            return _refresh is { IsCompleted: false } ? _refresh : _refresh = FetchAsync();
        }
    }

    /// <inheritdoc cref="HeadIntake.TakeInAsync"/>
    public async Task<VerifiedTreeHead?> TakeInAsync(LogView known, LookupResponse answer, long at)
    {
        var head = await _intake.TakeInAsync(known, answer, at);
        if (head is not null)
        {
            Witnesses?.Note(head.Content, answer);
        }

        return head;
    }

    /// <inheritdoc cref="HeadIntake.HearAsync"/>
    public Task<bool> HearAsync(VerifiedTreeHead head, string from) => _intake.HearAsync(head, from);

    /// <summary>Whether the view's map root was shown to be the last leaf of its map-head log, where that is demanded. A view from disk is
    /// shown anew, and a first view when it is used.</summary>
    private bool IsShown => !Client.ShowsMapRoots || _view.View?.Head.MapRootProof is not null;

    /// <summary>Has the log show the view's map root; all who wait share one call.</summary>
    private Task<SilenceReason?> ShowAsync()
    {
        lock (_refreshing)
        {
            return _showing is { IsCompleted: false } ? _showing : _showing = ShowOnceAsync();
        }
    }

    private async Task<SilenceReason?> ShowOnceAsync()
    {
        var reason = await _intake.ShowViewAsync();
        NoteLackOfProofs(reason);
        return reason;
    }

    private void NoteLackOfProofs(SilenceReason? reason)
    {
        if (reason is SilenceReason.NoInclusionProofs)
        {
            _faults.NoteInclusionProofs(areGiven: false);
        }
    }

    private async Task<SilenceReason?> FetchAsync()
    {
        var (at, before) = (_time.GetTimestamp(), _view.TreeSize);
        var call = await Client.GetHeadAsync(CancellationToken.None);
        SilenceReason? reason = SilenceReason.HeadInconsistent;
        var refusal = await DiskRefusal.OfAsync(async () => reason = call.Message is null ? call.Failure
            : !SignedTreeHead.TryRead(call.Message, out var head, out _) ? SilenceReason.HeadMalformed
            : !Key.TryVerify(head, out var verified, out _) ? SilenceReason.HeadSignature
            : await _intake.TakeInAsync(verified, at));
        if (refusal is not null)
        {
            _logger.ViewNotKept(Name, refusal); // then the disk does not say what other processes have seen of the log
        }

        if (reason is { } failure)
        {
            _logger.HeadRefused(Name, failure);
            EvidenceMetrics.Failed(Name, failure);
        }

        if (reason is null && Head is { } head)
        {
            _ = ObserveAsync(head.Content, isFirst: before < 0);
        }

        NoteLackOfProofs(reason);
        _faults.Note(reason?.ToString(), hasGrown: _view.TreeSize > before);
        return reason;
    }

    /// <summary>Looks whether the newest head is witnessed, where that is demanded, and keeps its age. Nobody waits for it.</summary>
    private async Task ObserveAsync(TreeHead head, bool isFirst)
    {
        if (isFirst)
        {
            Ages?.Begin(-1);
        }

        var verdict = Witnesses is null ? null : await Witnesses.ObserveAsync(head);
        if (Witnesses is null || verdict is CheckpointVerdict.Witnessed)
        {
            Ages?.Note(head.TreeSize, verdict is CheckpointVerdict.Witnessed { ReachedAt: not null } seen ? seen.ThereBy : null);
        }
    }
}
