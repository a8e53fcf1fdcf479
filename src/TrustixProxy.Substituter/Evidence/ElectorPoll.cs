using System.Collections.Immutable;
using System.Threading.Channels;
using Polly;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>One poll on a digest: asks every upstream for its name and every elector about every name, all at once, until nothing can
/// change the verdict.</summary>
/// <remarks>
/// <code>
/// upstreams ──names──▶ electors ──ballots──▶ one loop that owns all state ──▶ outcome, as soon as nothing can change it
///           ──narinfos────────────────────▶  <see cref="PollConclusions"/>  ──▶ late answers, for one deadline more
/// </code>
/// Electors begin at once, with or without a name: a log that knows paths by their digests answers while upstreams are asked for the name.
/// Each upstream is asked once, and its answer stands. An upstream that is away has nothing.
/// An elector that fails is asked again until the deadline; then what is not conclusive counts as silence. In haste, each is asked once.
/// An upstream that serves only some names waits for a name: from references, the NAR store or another upstream. When nobody gives one, it
/// is asked without.</remarks>
internal sealed class ElectorPoll
{
    /// <summary>How long an upstream that serves only some names waits for a name, while others have not answered.</summary>
    private static readonly TimeSpan NameGrace = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a granted claim waits for the answer of a better upstream.</summary>
    private static readonly TimeSpan PriorityGrace = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a path that can be served without a verdict waits for one.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly StorePathDigest _digest;
    private readonly IReadOnlyList<ElectorClient> _electors;
    private readonly UpstreamPoll _upstreams;
    private readonly CandidateBallots _candidates;
    private readonly PollConclusions _conclusions;
    private readonly List<(string Name, AskElector Ask)> _asks = [];
    private readonly CandidateValues _values = new();
    private readonly TimeSpan _deadline;
    private readonly bool _isHasty;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _retry;
    // The thread that brings an event also runs the loop.
    private readonly Channel<Action> _events = Channel.CreateUnbounded<Action>(
        new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = true });
    private readonly TaskCompletionSource<PollResult> _result = new(); // its waiters run at once, before late answers
    private readonly PollWait _grace, _patience;
    private CancellationToken _asking;
    private volatile Exception? _fault;
    private long _start;
    private int _triedCandidates; // number of candidates when unproven hashes were last tried
    private bool _isLate, _isOver, _isHeardOut;

    public ElectorPoll(Electorate electorate, StorePathDigest digest, TimeSpan deadline, bool isHasty)
    {
        (_electors, _time, _retry) = (electorate.Electors, electorate.Time, electorate.Retry);
        (_digest, _deadline, _isHasty) = (digest, deadline, isHasty);
        (_grace, _patience) = (new PollWait(PriorityGrace, _events.Writer, _time), new PollWait(Patience, _events.Writer, _time));
        _upstreams = new UpstreamPoll(electorate.Upstreams, electorate.BadNars, electorate.Store);
        _candidates = new CandidateBallots(electorate.Policy, _values, _time);
        _conclusions = new PollConclusions(digest, electorate.Policy, _candidates, _upstreams, _grace, _patience);
    }

    /// <summary>The first fault of this program that lost an answer; null when there was none.</summary>
    public Exception? Fault => _fault;

    /// <summary>Ends the poll with a fault of this program; false when it had its outcome already.</summary>
    public bool Fail(Exception exception) => _result.TrySetException(exception);

    /// <summary>The outcome: as soon as nothing can change it, and at the deadline at the latest.</summary>
    public Task<PollResult> Result => _result.Task;

    /// <summary>Whether the poll has its outcome, and it is not a refusal.</summary>
    public bool IsServed => Result is { IsCompletedSuccessfully: true, Result: PollResult.Served };

    /// <summary>Stops listening for late answers. Does nothing before the outcome.</summary>
    public void EndListening() => _events.Writer.TryWrite(() => _isOver |= _result.Task.IsCompleted);

    /// <summary>How long each elector took to its last word on a path, by its name, once the poll is over.</summary>
    public IReadOnlyDictionary<string, TimeSpan> LatenciesOf(StorePath? path) =>
        path is null ? new Dictionary<string, TimeSpan>() : _candidates[path].Latencies;

    /// <summary>Asks everyone. Ends when all have spoken, at the latest one deadline after the deadline.</summary>
    /// <param name="knownNames">Names that are known for the digest, for example from another path's references. The poll asks about
    /// each.</param>
    /// <param name="onSettled">Called at the end with what all answers come to, if the outcome names a path.</param>
    public async Task RunAsync(IReadOnlyList<StorePath> knownNames, Action<Settlement> onSettled)
    {
        var asking = new CancellationTokenSource();
        _start = _time.GetTimestamp();
        _asking = asking.Token;
        using var deadline = Schedule(_deadline, () => _isLate = true);
        using var end = Schedule(_deadline * 2, () => _isOver = _isHeardOut = true);
        using var names = Schedule(NameGrace, AskWithoutName);
        AskUpstreams(_upstreams.TakeFor(null));
        _asks.AddRange(_electors.Select(elector =>
            (elector.Elector.Name, elector.Begin(_digest, knownNames.Count > 0 ? knownNames[0] : null, _values, asking.Token))));
        CloseCandidates();
        foreach (var name in knownNames)
        {
            AddName(name);
        }

        AskNameless();
        TryConclude();
        while (!(_result.Task.IsCompleted && (_isOver || HaveAllSpoken || IsOverturned)))
        {
            (await _events.Reader.ReadAsync())();
            while (_events.Reader.TryRead(out var next))
            {
                next(); // hear all that came meanwhile before concluding, so that fewer answers are late
            }

            if (_isHasty && HaveAllAnswered)
            {
                TryConclude(); // an outcome that no further answer could change is not late
                _isLate = _isOver = true;
            }

            TryConclude();
        }

        await asking.CancelAsync();
        await _grace.DisposeAsync();
        await _patience.DisposeAsync();
        if (await _result.Task is var result && result.Decided is { } path)
        {
            onSettled(new Settlement(
                result, _candidates.DecideAll(path), _conclusions.IsSettled, _candidates.Contesting(path))
            {
                IsHeardOut = _isHeardOut || HaveAllSpoken,
                Latencies = _candidates[path].Latencies,
            });
        }
    }

    /// <summary>Whether a late answer contradicts the agreement that was served.</summary>
    private bool IsOverturned =>
        _result.Task is { IsCompletedSuccessfully: true, Result: PollResult.Served { Record: { IsSigned: true, Claim: { } claim } } }
        && (_candidates.DecideAll(claim.Path).Granted != claim || !_candidates.Contesting(claim.Path).IsEmpty);

    /// <summary>Whether nobody has anything more to say.</summary>
    private bool HaveAllSpoken => _upstreams.HaveAllSpoken && _candidates.AreSettled;

    /// <summary>Whether each upstream and each elector has answered or failed once.</summary>
    private bool HaveAllAnswered => _upstreams.HaveAllSpoken && _candidates.HaveAllAnswered;

    /// <summary>Has the loop run an action after a time.</summary>
    private ITimer Schedule(TimeSpan due, Action effect) =>
        _time.CreateTimer(_ => _events.Writer.TryWrite(effect), null, due, Timeout.InfiniteTimeSpan);

    /// <summary>Asks an elector, hands its answer to the loop, and asks again until an answer is conclusive.</summary>
    private async Task KeepAskingAsync<T>(Func<CancellationToken, Task<T>> ask, Action<T> hear, Func<T, bool> isConclusive)
    {
        try
        {
            await _retry.ExecuteAsync(
                async cancellation =>
                {
                    try
                    {
                        var answer = await ask(cancellation);
                        _events.Writer.TryWrite(() => hear(answer));
                        return isConclusive(answer);
                    }
                    catch (Exception exception) when (!cancellation.IsCancellationRequested)
                    {
                        _fault ??= exception; // a fault of ours loses one answer, not the decision
                        return false;
                    }
                },
                _asking);
        }
        catch (OperationCanceledException) when (_asking.IsCancellationRequested)
        {
            // The poll is over.
        }
    }

    private void AskUpstreams(IReadOnlyList<Upstream> upstreams)
    {
        foreach (var upstream in upstreams)
        {
            _ = AskAsync(upstream);
        }
    }

    /// <summary>Asks an upstream once: it retries by itself.</summary>
    private async Task AskAsync(Upstream upstream)
    {
        UpstreamAnswer answer;
        try
        {
            answer = await upstream.AskAsync(_digest, _asking);
        }
        catch (OperationCanceledException) when (_asking.IsCancellationRequested)
        {
            return; // the poll is over
        }
        catch (Exception exception)
        {
            _fault ??= exception; // a fault of ours loses one answer, not the decision
            answer = new UpstreamAnswer.Failed(new UpstreamFault(UpstreamFailure.RequestFailed));
        }

        _events.Writer.TryWrite(() => Hear(upstream, answer));
    }

    private void Hear(Upstream upstream, UpstreamAnswer answer)
    {
        _upstreams.Hear(upstream, answer);
        if (_upstreams.Find(upstream) is UpstreamAnswer.Found { NarInfo: var narInfo })
        {
            _values.Offer(narInfo);
            AddName(narInfo.StorePath);
            ProveHashes(isStale: false);
        }

        AskNameless();
        CloseCandidates();
    }

    /// <summary>Ends the wait for a name once all other upstreams have spoken.</summary>
    private void AskNameless()
    {
        if (_upstreams.IsWaitingForNames)
        {
            EndWaiting();
        }
    }

    private void AskWithoutName()
    {
        if (_candidates.IsEmpty)
        {
            EndWaiting();
        }
    }

    /// <summary>Asks the upstreams that waited by the digest alone if no name is known. Otherwise they serve none of the names, and have
    /// nothing.</summary>
    private void EndWaiting()
    {
        var rest = _upstreams.TakeRest();
        if (_candidates.IsEmpty)
        {
            AskUpstreams(rest);
            return;
        }

        foreach (var upstream in rest)
        {
            _upstreams.Hear(upstream, new UpstreamAnswer.Absent());
        }
    }

    private void CloseCandidates()
    {
        if (_upstreams.HaveAllSpoken)
        {
            _values.Close();
        }
    }

    /// <summary>Asks about a name. Every well-formed name is asked about, so that one upstream's wrong name blocks nothing.</summary>
    private void AddName(StorePath path)
    {
        if (!_candidates.TryAdd(path))
        {
            return;
        }

        AskUpstreams(_upstreams.TakeFor(path));
        foreach (var (name, ask) in _asks)
        {
            KeepAsking(path, name, ask);
        }
    }

    private void KeepAsking(StorePath path, string elector, AskElector ask)
    {
        var candidates = 0;
        _ = KeepAskingAsync(
            cancellation =>
            {
                candidates = _values.Count;
                return ask(path, cancellation);
            },
            ballot => Hear(path, elector, ballot, candidates),
            ballot => ballot.IsFirm || ballot is Ballot.Silent { IsForGood: true } or Ballot.Silent { Reason: SilenceReason.UnprovenHash });
    }

    /// <param name="candidates">Number of candidates when the elector was asked.</param>
    private void Hear(StorePath path, string elector, Ballot ballot, int candidates)
    {
        _candidates[path].Hear(elector, ballot, _time.GetElapsedTime(_start));
        if (ballot is Ballot.Claimed { Claim: var claim })
        {
            _values.Offer(claim);
        }

        ProveHashes(isStale: candidates != _values.Count && ballot is Ballot.Silent { Reason: SilenceReason.UnprovenHash });
    }

    /// <summary>Asks the electors again whose hash a new candidate may prove.</summary>
    /// <param name="isStale">Whether one of them was asked before the newest candidate came.</param>
    private void ProveHashes(bool isStale)
    {
        if (isStale || _values.Count != _triedCandidates)
        {
            _triedCandidates = _values.Count;
            foreach (var (path, elector) in _candidates.TakeBackUnproven())
            {
                KeepAsking(path, elector, _asks.Find(ask => ask.Name == elector).Ask);
            }
        }
    }

    private void TryConclude()
    {
        if (_result.Task.IsCompleted)
        {
            return;
        }

        foreach (var elector in _electors.Where(elector => elector.IsFrozen))
        {
            _candidates.MarkFrozen(elector.Elector.Name); // it may have frozen after it spoke
        }

        if (_conclusions.Conclude(_isLate, _time.GetUtcNow()) is { } result)
        {
            _result.TrySetResult(result);
        }
    }
}
