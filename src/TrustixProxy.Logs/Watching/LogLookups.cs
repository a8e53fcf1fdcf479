using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>What is asked of a log by its one call: the digest of a store path, whose name need not be known, or a full key.</summary>
public readonly record struct LookupQuestion(string? PathDigest, byte[]? Key);

/// <summary>What the log answers, under a head that continues the view. The head is verified, the entries are not.</summary>
public sealed record LookupAnswer(VerifiedTreeHead Head, LookupItem Item);

/// <summary>Asks one log by the one call that some logs have (<c>Wire/lookup.proto</c>). Questions of one moment travel together; one that
/// is alone waits for nothing.</summary>
public sealed class LogLookups(WatchedLog log, TimeProvider time)
{
    /// <summary>The most questions that one call takes.</summary>
    private const int MaxQuestions = 100;

    /// <summary>The most calls at once; more questions wait for one of them to end.</summary>
    private const int MaxCalls = 8;

    /// <summary>While a call is under way, how long questions wait for each other.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(2);

    private readonly Lock _turn = new();
    private readonly Queue<Waiting> _waiting = new();
    private int _calls;
    private bool _isMoment;

    /// <summary>Whether the log is known not to have the call.</summary>
    public bool AreLacking => log.Client.LacksLookup;

    /// <summary>Asks once; null when the log has no such call, or its answer is of no use: the separate calls show why.</summary>
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

    /// <summary>Sends what waits, as much as one call takes. The turn is held.</summary>
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
            together.ForEach(waiting => waiting.Answer.TrySetException(exception)); // a fault of ours: whoever asks tells it
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

    /// <summary>One call, and a second one when others have moved the view meanwhile.</summary>
    private async Task<(VerifiedTreeHead Head, IReadOnlyList<LookupItem> Items)?> AskAsync(
        IReadOnlyList<string> digests, IReadOnlyList<byte[]> keys)
    {
        for (var attempt = 0; attempt < 2; attempt++)
        {
            var at = time.GetTimestamp();
            if (await log.ViewAsync(Timeout.InfiniteTimeSpan, CancellationToken.None) is not { View: { } view }
                || await log.Client.LookupAsync(view.Head.Content, digests, keys, CancellationToken.None) is not { } answer
                || answer.Items.Count != digests.Count + keys.Count)
            {
                return null;
            }

            if (log.TakeIn(view, answer, at) is { } head)
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

    private sealed class Waiting(LookupQuestion question)
    {
        public LookupQuestion Question => question;

        public TaskCompletionSource<LookupAnswer?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
