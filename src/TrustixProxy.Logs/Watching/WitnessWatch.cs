using Microsoft.Extensions.Logging;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>Knows which of a log's newest heads its demanded witnesses have seen, and when. Asks the log for checkpoints as
/// needed.</summary>
/// <remarks>Checkpoints never move the view and never freeze the log: a missing cosignature may be a witness's fault, or the
/// network's.</remarks>
/// <param name="name">The log's name.</param>
/// <param name="demand">The witnesses that are demanded.</param>
/// <param name="client">Asks the log.</param>
/// <param name="faults">Keeps since when heads are unwitnessed.</param>
/// <param name="logger">Logs when heads begin to be unwitnessed, and when that ends.</param>
public sealed class WitnessWatch(
    string name, WitnessDemand demand, LogClient client, LogFaultStore faults, TimeProvider time, ILogger logger)
{
    /// <summary>Number of heads whose checkpoints are kept: answers under an older head may still be under way.</summary>
    private const int MaxHeads = 8;

    /// <summary>Shortest time between two requests for the checkpoints of one head.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly WitnessDemand _ofAnyAge = demand with { Within = null };
    private readonly Lock _turn = new();
    private readonly List<(TreeHead Head, CheckpointVerdict Verdict)> _known = [];
    private Task? _asking;
    private TreeHead? _askedFor;
    private long _askedAt;
    private volatile bool _isTold;

    /// <summary>Judges a head by the checkpoints known so far. Asks the log when they are not enough.</summary>
    /// <param name="head">The head.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<CheckpointVerdict> VerifyAsync(TreeHead head, CancellationToken cancellation)
    {
        var verdict = Find(head);
        if (verdict is CheckpointVerdict.Witnessed { NewestAt: var newest })
        {
            if (time.GetUtcNow() - newest > demand.Within / 4)
            {
                _ = AskAsync(head, demand.Within!.Value / 4); // the cosignatures still hold, so nobody waits for fresh ones
            }
        }
        else
        {
            await AskAsync(head, Pause).WaitAsync(cancellation);
            verdict = Find(head);
        }

        return verdict;
    }

    /// <summary>Since when, and why, the log's heads are unwitnessed; null when they are witnessed, or were not looked at.</summary>
    public WitnessGap? Gap => faults.WitnessGap;

    /// <summary>Whether a head is known to be witnessed.</summary>
    public bool Has(TreeHead head) => Find(head) is CheckpointVerdict.Witnessed;

    /// <summary>When witnesses last cosigned a known head of at least a size, whatever the age; null for none.</summary>
    public DateTimeOffset? SeenAt(long size)
    {
        lock (_turn)
        {
            return _known.Where(known => known.Head.TreeSize >= size).Select(known => known.Verdict).OfType<CheckpointVerdict.Witnessed>()
                .Max(witnessed => witnessed.NewestAt);
        }
    }

    /// <summary>Takes in the checkpoints that came with a head.</summary>
    /// <param name="head">The head.</param>
    /// <param name="answer">The log's answer.</param>
    public void Note(TreeHead head, LookupResponse answer)
    {
        if (answer.Checkpoint.Length > 0 || answer.MapHeadCheckpoint.Length > 0)
        {
            Note(head, answer.Checkpoint.Memory, answer.MapHeadCheckpoint.Memory);
        }
    }

    /// <summary>Asks for the checkpoints of a head that is not known to be witnessed, or not lately. Nobody waits for it.</summary>
    public void Begin(TreeHead head) => _ = VerifyAsync(head, CancellationToken.None);

    /// <summary>Looks whether the newest head is witnessed, and tells what has changed. Returns the verdict.</summary>
    public async Task<CheckpointVerdict> ObserveAsync(TreeHead head)
    {
        var verdict = await VerifyAsync(head, CancellationToken.None);
        if (verdict is not CheckpointVerdict.Refused { Error: CheckpointError.Size })
        {
            Tell(head, verdict); // a checkpoint of another size is that of a newer head, which is looked at next
        }

        return verdict;
    }

    /// <summary>Keeps and logs whether the newest head is witnessed, when that has changed.</summary>
    public void Tell(TreeHead head, CheckpointVerdict verdict)
    {
        var isWitnessed = verdict is CheckpointVerdict.Witnessed;
        var why = isWitnessed ? null : UnwitnessedText.Of(verdict, demand);
        faults.NoteWitnesses(why);
        if (_isTold == !isWitnessed || Interlocked.Exchange(ref _isTold, !isWitnessed) == !isWitnessed)
        {
            return;
        }

        if (why is null)
        {
            logger.HeadWitnessed(name);
        }
        else
        {
            logger.HeadUnwitnessed(name, head.TreeSize, why);
        }
    }

    private CheckpointVerdict Find(TreeHead head)
    {
        lock (_turn)
        {
            var verdict = _known.Find(known => known.Head == head).Verdict
                ?? new CheckpointVerdict.Unwitnessed(UnwitnessedReason.NoCheckpoint, [], null);
            return verdict is CheckpointVerdict.Witnessed seen && time.GetUtcNow() - seen.NewestAt > demand.Within
                ? new CheckpointVerdict.Unwitnessed(UnwitnessedReason.Stale, seen.Witnesses, seen.NewestAt) : verdict;
        }
    }

    private void Note(TreeHead head, ReadOnlyMemory<byte> log, ReadOnlyMemory<byte> mapHeads)
    {
        var verdict = _ofAnyAge.Verify(head, log.Span, mapHeads.Span, time.GetUtcNow());
        lock (_turn)
        {
            var at = _known.FindIndex(known => known.Head == head);
            if (at >= 0 && IsBetter(_known[at].Verdict, verdict))
            {
                return;
            }

            _known.RemoveRange(at >= 0 ? at : 0, at >= 0 || _known.Count is MaxHeads ? 1 : 0);
            _known.Add((head, verdict));
        }
    }

    /// <summary>Whether a known verdict stays: a worse answer may be an old one, or the network's.</summary>
    private static bool IsBetter(CheckpointVerdict known, CheckpointVerdict next) => known is CheckpointVerdict.Witnessed seen
        && (next is not CheckpointVerdict.Witnessed other || other.NewestAt < seen.NewestAt);

    /// <summary>Asks for a head's checkpoints, unless that was done a moment ago. All who wait share one request.</summary>
    private Task AskAsync(TreeHead head, TimeSpan pause)
    {
        lock (_turn)
        {
            var isSame = _askedFor == head;
            if (isSame && _asking is { IsCompleted: false })
            {
                return _asking;
            }

            if (isSame && time.GetElapsedTime(_askedAt) < (pause > Pause ? pause : Pause))
            {
                return Task.CompletedTask;
            }

            (_askedFor, _askedAt) = (head, time.GetTimestamp());
            return _asking = FetchAsync(head);
        }
    }

    private async Task FetchAsync(TreeHead head)
    {
        var (log, mapHeads) = await client.GetCheckpointsAsync(CancellationToken.None);
        Note(head, log, mapHeads);
    }
}
