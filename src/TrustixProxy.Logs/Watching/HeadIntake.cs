using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>Takes in heads: proves that each continues the view and that its map root is the last leaf of its map-head log, moves the
/// view, and freezes a log that contradicts itself.</summary>
/// <remarks>Only the log's own signatures and proofs move the view or freeze the log.</remarks>
/// <param name="key">The log's key.</param>
/// <param name="client">Asks the log for proofs.</param>
/// <param name="freeze">Whether the log is frozen.</param>
/// <param name="source">What evidence names as its source when the log itself has shown it.</param>
internal sealed class HeadIntake(LogKey key, LogClient client, HeldView view, FreezeFlag freeze, string source)
{
    /// <summary>How often a head is tried: the view may move meanwhile, here or in another process, or the stored one is damaged.</summary>
    private const int Attempts = 3;

    /// <summary>Takes in a fetched head; returns null, or the reason for which it was refused. A first head, which nothing is compared
    /// with, is shown when it is used: by the log's next answer, or by <see cref="ShowViewAsync"/>.</summary>
    /// <param name="at">When it was asked for, as a timestamp of the clock.</param>
    public async Task<SilenceReason?> TakeInAsync(VerifiedTreeHead head, long at)
    {
        var stored = view.View is { } start ? HeldView.BytesOf(start) : null;
        var showing = view.View is { } first && head.Content.TreeSize > first.Head.Content.TreeSize ? ShowAsync(head) : null;
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var known = view.View;
            var (next, reason) = known is null ? (new LogView(head), (SilenceReason?)null) : await AdvanceAsync(known, head, source);
            if (next is null)
            {
                return reason is SilenceReason.HeadOlder && await HearAsync(head, source) && freeze.IsSet ? SilenceReason.Frozen
                    : reason;
            }

            if (showing is not null)
            {
                var (shown, problem) = await showing;
                if (shown is null)
                {
                    return problem;
                }

                next = next.Head == shown ? next : new LogView(shown);
            }

            if (freeze.TryReplaceView(known, next, stored, at))
            {
                return null;
            }

            var found = view.Load();
            if (found.IsFrozen)
            {
                freeze.Note();
                return SilenceReason.Frozen;
            }

            if (found.View is null && found.Head is not null)
            {
                view.ReportDamage();
            }

            stored = found.Head;
            if (found.View is { } other && await ReconcileAsync(other) is { } failure)
            {
                return failure;
            }
        }

        return SilenceReason.HeadInconsistent;
    }

    /// <summary>Has the log show the view's map root. Returns null, or the reason for which the view must not be used.</summary>
    public async Task<SilenceReason?> ShowViewAsync()
    {
        if (view.View is not { } known)
        {
            return SilenceReason.MapRootProof;
        }

        var (shown, reason) = await ShowAsync(known.Head);
        if (shown is not null && shown != known.Head)
        {
            freeze.TryReplaceView(known, new LogView(shown), HeldView.BytesOf(known), HeldView.LongAgo);
        }

        return shown is null ? reason : null;
    }

    /// <summary>Takes in a head that came with its proofs; null when it does not continue the view, or the view has moved
    /// meanwhile.</summary>
    /// <param name="known">The view that the proofs begin at.</param>
    /// <param name="answer">The head and the proofs.</param>
    /// <param name="at">When it was asked for, as a timestamp of the clock.</param>
    public async Task<VerifiedTreeHead?> TakeInAsync(LogView known, LookupResponse answer, long at)
    {
        if (!TryVerify(known, answer.Head, out var head)
            || !HeadProofs.TryRead(answer.ConsistencyProof, out var logProof)
            || !HeadProofs.TryRead(answer.MHConsistencyProof, out var mapHeadProof)
            || !HeadProofs.TryRead(answer.MapHeadInclusionProof, out var mapRootProof)
            || Advance(known, head, logProof, mapHeadProof, source).Next is not { } next
            || (await ShowAsync(head, mapRootProof)).Head is not { } shown)
        {
            return null;
        }

        return freeze.TryReplaceView(known, next.Head == shown ? next : new LogView(shown), HeldView.BytesOf(known), at) ? shown : null;
    }

    /// <summary>Compares a head that others have seen with the view.</summary>
    /// <param name="head">The head; its signature was verified.</param>
    /// <param name="from">Who has shown it.</param>
    /// <returns>Whether the head could be judged: false when the log gave no proofs for it, or there is no view yet.</returns>
    public async Task<bool> HearAsync(VerifiedTreeHead head, string from)
    {
        if (freeze.IsSet || view.View is not { } known)
        {
            return false;
        }

        if (head.Content == known.Head.Content)
        {
            return true;
        }

        if (head.Content.TreeSize < known.Head.Content.TreeSize)
        {
            // The view stays. If the older head is of another history, the log's own proof shows it.
            return await AdvanceAsync(new LogView(head), known.Head, from) is { Next: not null } or { Reason: SilenceReason.Frozen };
        }

        var advance = await AdvanceAsync(known, head, from);
        if (advance.Next is null || (await ShowAsync(head)).Head is not { } shown)
        {
            return advance.Reason is SilenceReason.Frozen;
        }

        // Others may show an old head of the log, so the view counts as no fresher.
        freeze.TryReplaceView(known, new LogView(shown), HeldView.BytesOf(known), HeldView.LongAgo);
        return true;
    }

    /// <summary>Adopts a view of another process if it continues ours, so that nothing is forgotten that either has seen.</summary>
    private async Task<SilenceReason?> ReconcileAsync(LogView other)
    {
        var known = view.View;
        var (next, reason) = known is null ? (other, (SilenceReason?)null) : await AdvanceAsync(known, other.Head, source);
        if (next is not null)
        {
            var (shown, problem) = await ShowAsync(next.Head);
            if (shown is null)
            {
                return problem;
            }

            freeze.TryReplaceView(known, next.Head == shown ? next : new LogView(shown), HeldView.BytesOf(other), HeldView.LongAgo);
        }

        return reason is SilenceReason.HeadOlder ? null : reason; // the disk is behind: the next attempt overwrites it
    }

    /// <summary>Has the log show that a head's map root is the last leaf of its map-head log, where that is demanded. Returns the head with
    /// the proof, or the reason for which it is not used.</summary>
    /// <param name="head">The head.</param>
    /// <param name="given">The proof that came with the head; without nodes, the log is asked for one.</param>
    private async Task<(VerifiedTreeHead? Head, SilenceReason Reason)> ShowAsync(VerifiedTreeHead head, Digest[]? given = null)
    {
        var known = view.View?.Head is { MapRootProof: not null } held && held.Content == head.Content ? held : head;
        if (!client.ShowsMapRoots || known.MapRootProof is not null || head.TryShowMapRoot(given ?? [], out known, out _))
        {
            return (known, default);
        }

        if (given is { Length: > 0 })
        {
            return (null, SilenceReason.MapRootProof);
        }

        if (client.LacksInclusionProofs)
        {
            return (null, SilenceReason.NoInclusionProofs);
        }

        var call = await client.GetMapRootProofAsync(head.Content.MapHeadSize, CancellationToken.None);
        if (call.Message is null)
        {
            // If it does not answer other calls either, it is away: that says nothing about proofs.
            var isAway = call.Error is null && (await client.GetHeadAsync(CancellationToken.None)).Message is null;
            return (null, !isAway && client.NoteFailedInclusionProof(call) ? SilenceReason.NoInclusionProofs
                : call.Error is null ? call.Failure : SilenceReason.MapRootProof);
        }

        return (WireMessage.TryReadNodes(call.Message, out var nodes) && head.TryShowMapRoot(nodes, out var shown, out _) ? shown : null,
            SilenceReason.MapRootProof);
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

    /// <summary>Checks that a head continues the view. Freezes the log when the two contradict each other.</summary>
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
        freeze.Set(fault, from);
        return (null, SilenceReason.Frozen);
    }

    /// <summary>Verifies the log's signature on a head. The view's own head was verified before.</summary>
    private bool TryVerify(LogView known, LogHead? message, [NotNullWhen(true)] out VerifiedTreeHead? head)
    {
        head = known.Head.ToMessage().Equals(message) ? known.Head : null;
        return head is not null
            || (message is not null && SignedTreeHead.TryRead(message, out var read, out _) && key.TryVerify(read, out head, out _));
    }
}
