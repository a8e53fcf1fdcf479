using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Fairness;


namespace TrustixProxy.Substituter.Decisions;

/// <summary>Runs at most one poll per digest. All requests for the digest share its decision.</summary>
/// <remarks>A poll belongs to no client: a client that leaves ends nothing.</remarks>
/// <param name="electorate">The electors and upstreams that are asked.</param>
/// <param name="memory">What was decided before.</param>
/// <param name="bounds">How often is asked again, and how many paths are decided on at once.</param>
/// <param name="recorder">Keeps what a poll concludes.</param>
/// <param name="names">Names that are known for digests.</param>
/// <param name="deadline">How long one request is held.</param>
/// <param name="logger">Logs faults of this program.</param>
internal sealed class SharedPolls(
    Electorate electorate,
    DeciderMemory memory,
    AskingBounds bounds,
    OutcomeRecorder recorder,
    KnownNames names,
    TimeSpan deadline,
    ILogger logger)
{
    private readonly ConcurrentDictionary<StorePathDigest, Poll> _underway = new();

    /// <summary>Whether a poll on a digest is under way.</summary>
    public bool IsUnderway(StorePathDigest digest) => _underway.ContainsKey(digest);

    /// <summary>The decision of the poll that is under way, or of a new one.</summary>
    /// <param name="before">The decision that the poll is to replace; null when there is none.</param>
    /// <param name="depth">How many references lie between a request and the digest.</param>
    public Task<Decision> JoinAsync(StorePathDigest digest, Decision? before, int depth)
    {
        var poll = _underway.GetOrAdd(digest, key => new Poll(turn => AskAsync(key, before, depth, turn)));
        bounds.Turns.Join(poll.Turn, Requester.Current);
        return poll.Decision;
    }

    private async Task<Decision> AskAsync(StorePathDigest digest, Decision? before, int depth, Turn turn)
    {
        try
        {
            using var step = ProxyMeter.Step("decide", "digest", digest.ToString());
            var (start, news) = (electorate.Time.GetTimestamp(), memory.Refusals.News);
            if (before is not null || memory.Refusals.Find(digest) is not null)
            {
                bounds.Again.Begin();
            }

            var (known, lease) = memory.Shared is not { } shared ? default
                : await shared.WaitAsync(digest, found => recorder.AdoptAsync(digest, depth, found), deadline / 2);
            using var owned = lease;
            if (known is not null)
            {
                return known;
            }

            using var place = await bounds.Turns.TakeAsync(turn, deadline / 2);
            if (place is null)
            {
                return before ?? memory.Refusals.Find(digest)?.Decision ?? RefuseCrowded();
            }

            var left = deadline - electorate.Time.GetElapsedTime(start);
            var poll = electorate.Poll(digest, left > deadline / 2 ? left : deadline / 2);
            var recording = recorder.RecordAsync(digest, depth, poll.Result, news);
            var following = FollowAsync(poll, digest, NamesOf(digest, before), recording);
            var decision = await recording;
            bounds.Turns.Listens(poll, following);
            step?.SetTag("outcome", decision.Record.Outcome.Word()).SetTag("sentence", decision.Record.Sentence);
            return decision;
        }
        catch (Exception exception)
        {
            logger.DecidingFailed(exception, digest.ToString());
            return Undecided("this proxy could not decide because of an internal error; see its log");
        }
        finally
        {
            _underway.TryRemove(digest, out _);
        }
    }

    /// <summary>Runs a poll to its end, past the answer. Late answers are settled once the answer is kept.</summary>
    /// <remarks>A fault of this program is logged, and ends the wait of every request.</remarks>
    private async Task FollowAsync(
        ElectorPoll poll, StorePathDigest digest, ImmutableArray<StorePath> known, Task<Decision> recording)
    {
        var settling = () => Task.CompletedTask;
        Exception? fault = null;
        try
        {
            await poll.RunAsync(known, settlement => settling = () => recorder.SettleAsync(digest, settlement));
            fault = poll.Fault;
            await ((Task)recording).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // AskAsync logs its fault
            await (recording.IsCompletedSuccessfully ? settling() : Task.CompletedTask);
        }
        catch (Exception exception)
        {
            fault = poll.Fail(exception) ? null : exception;
        }

        if (fault is not null)
        {
            logger.DecidingFailed(fault, digest.ToString());
        }
    }

    /// <summary>Refuses because no turn came free in time. The refusal is not kept.</summary>
    private Decision RefuseCrowded() => Undecided(
        $"this proxy already makes {bounds.Turns.Most:N0} decisions, the limit of limits.concurrency, or {bounds.Turns.Share:N0} for this "
        + "client; retry");

    private Decision Undecided(string sentence) => memory.Cache.Render(
        DecisionRecord.Refusal(Outcome.Undecided, sentence, electorate.Time.GetUtcNow()), wasCutShort: true);

    /// <summary>All names that are known for a digest: of the decision or refusal before, of references, and of the NAR store.</summary>
    private ImmutableArray<StorePath> NamesOf(StorePathDigest digest, Decision? before) =>
        [.. new[] { before?.Record.Claim?.Path, memory.Refusals.Find(digest)?.Path, electorate.Store?.NameOf(digest) }
            .OfType<StorePath>().Concat(names.Of(digest)).Distinct()];

    /// <summary>A poll that begins when its decision is first wanted.</summary>
    private sealed class Poll
    {
        private readonly Lazy<Task<Decision>> _decision;

        public Poll(Func<Turn, Task<Decision>> ask) => _decision = new Lazy<Task<Decision>>(() => ask(Turn));

        public Turn Turn { get; } = new();

        public Task<Decision> Decision => _decision.Value;
    }
}
