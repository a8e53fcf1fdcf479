using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>A question for the lookup call: the digest of a store path, whose name may be unknown, or a full key.</summary>
public readonly record struct LookupQuestion(string? PathDigest, byte[]? Key);

/// <summary>The log's answer, under a head that continues the view. The head is verified; the entries are not.</summary>
public sealed record LookupAnswer(VerifiedTreeHead Head, LookupItem Item);

/// <summary>Queries one log by the lookup call that some logs have (<c>Wire/lookup.proto</c>). Batches concurrent questions; a lone
/// question is sent at once.</summary>
public sealed class LogLookups(WatchedLog log, TimeProvider time)
{
    /// <summary>Maximum number of questions in one call.</summary>
    private const int MaxQuestions = 100;

    /// <summary>Maximum number of calls in flight; further questions wait for one to end.</summary>
    private const int MaxCalls = 8;

    /// <summary>While a call is in flight, how long questions wait to be batched.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(2);

    private readonly Lock _turn = new();
    private readonly Queue<Waiting> _waiting = new();
    private int _calls;
    private bool _isMoment;

    /// <summary>Whether the log is known to lack the call.</summary>
    public bool AreLacking => log.Client.LacksLookup;

    /// <summary>Asks one question; null when the log lacks the call or its answer is unusable: the separate calls show why.</summary>
    public async Task<LookupAnswer?> AskAsync(LookupQuestion question, CancellationToken cancellation)
    {
        if (AreLacking)
        {
            return null;
        }

        var waiting = new Waiting(question);
        lock (_turn)
        {
            _waiting.Enqueue(waiting);
            if (_calls is 0 || (_waiting.Count >= MaxQuestions && _calls < MaxCalls))
            {
                Send();
            }
            else if (!_isMoment)
            {
                _isMoment = true;
                _ = EndMomentAsync();
            }
        }

        return await waiting.Answer.Task.WaitAsync(cancellation);
    }

    private async Task EndMomentAsync()
    {
        await Task.Delay(Moment, time);
        lock (_turn)
        {
            _isMoment = false;
            if (_calls < MaxCalls)
            {
                Send();
            }
        }
    }

    /// <summary>Sends waiting questions, as many as one call takes. The caller holds the turn.</summary>
    private void Send()
    {
        var together = new List<Waiting>();
        while (together.Count < MaxQuestions && _waiting.TryDequeue(out var next))
        {
            together.Add(next);
        }

        if (together.Count > 0)
        {
            _calls++;
            _ = Task.Run(() => CallAsync(together));
        }
    }

    private async Task CallAsync(List<Waiting> together)
    {
        try
        {
            var (digests, keys) = (together.Where(waiting => waiting.Question.PathDigest is not null).ToList(),
                together.Where(waiting => waiting.Question.Key is not null).ToList());
            var answer = await AskAsync(
                [.. digests.Select(waiting => waiting.Question.PathDigest!)], [.. keys.Select(waiting => waiting.Question.Key!)]);
            foreach (var (waiting, i) in digests.Concat(keys).Select((waiting, i) => (waiting, i)))
            {
                waiting.Answer.TrySetResult(answer is null ? null : new LookupAnswer(answer.Value.Head, answer.Value.Items[i]));
            }
        }
        catch (Exception exception)
        {
            together.ForEach(waiting => waiting.Answer.TrySetException(exception)); // a bug here: the callers report it
        }

        lock (_turn)
        {
            _calls--;
            if (_waiting.Count > 0 && !_isMoment)
            {
                Send();
            }
        }
    }

    /// <summary>Makes one call; makes a second when the view moved in between.</summary>
    private async Task<(VerifiedTreeHead Head, IReadOnlyList<LookupItem> Items)?> AskAsync(
        IReadOnlyList<string> digests, IReadOnlyList<byte[]> keys)
    {
        for (var attempt = 0; attempt < 2; attempt++)
        {
            var at = time.GetTimestamp();
            if (await log.ViewAsync(Timeout.InfiniteTimeSpan, CancellationToken.None, isShown: false) is not { View: { } view }
                || await log.Client.LookupAsync(KnownOf(view.Head), digests, keys, CancellationToken.None) is not { } answer
                || answer.Items.Count != digests.Count + keys.Count)
            {
                return null;
            }

            if (await log.TakeInAsync(view, answer, at) is { } head)
            {
                return (head, answer.Items);
            }

            if (ReferenceEquals(log.Head, view.Head))
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>What the log learns of the known head: no map-head log while the map root is not shown or the head is not witnessed, so
    /// that the answer shows both.</summary>
    private TreeHead KnownOf(VerifiedTreeHead head) =>
        (head.MapRootProof is null && log.Client.ShowsMapRoots) || log.Witnesses?.Has(head.Content) is false
            ? head.Content with { MapHeadSize = 0 } : head.Content;

    private sealed class Waiting(LookupQuestion question)
    {
        public LookupQuestion Question => question;

        public TaskCompletionSource<LookupAnswer?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
