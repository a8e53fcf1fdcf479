using System.Collections.Immutable;
using System.Threading.Channels;
using Polly;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>All asking about one digest: every upstream for its name, every elector about every name, all at once and until the verdict
/// cannot change.</summary>
/// <remarks>
/// <code>
/// upstreams ──names──▶ electors ──ballots──▶ one loop that owns all state ──▶ outcome, as soon as nothing can change it
///           ──narinfos────────────────────▶                               ──▶ stragglers, for one deadline more
/// electors are begun with at once, name or not: a log that knows paths by their digests answers while upstreams are asked for the name
/// </code>
/// Each upstream is asked once, and its answer stands: an upstream that is away has nothing. An elector that fails is asked again until the
/// deadline;
/// what is not conclusive then counts as silence. In haste, each elector is asked once.
/// An upstream that is only asked for some names waits for a name: from references, the NAR store or another upstream. It is asked without
/// one when nobody else gives one.</remarks>
internal sealed class ElectorPoll
{
    /// <summary>How long an upstream that is only asked for some names waits for a name, while others have not answered.</summary>
    private static readonly TimeSpan NameGrace = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan PriorityGrace = TimeSpan.FromMilliseconds(200);

    /// <summary>How long what can be served without a verdict waits for one.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly StorePathDigest _digest;
    private readonly IReadOnlyList<ElectorClient> _electors;
    private readonly UpstreamPoll _upstreams;
    private readonly Dictionary<StorePath, Ballots> _candidates = [];
    private readonly List<(string Name, AskElector Ask)> _asks = [];
    private readonly CandidateValues _statements = new();
    private readonly Policy _policy;
    private readonly TimeSpan _deadline;
    private readonly bool _isHasty;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _retry;
    // whoever brings news goes on with it
    private readonly Channel<Action> _events = Channel.CreateUnbounded<Action>(
        new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = true });
    private readonly TaskCompletionSource<Outcome> _outcome = new(); // who waits for it goes on at once, and comes before the stragglers
    private CancellationToken _asking;
    private volatile Exception? _fault;
    private long _start;
    private bool _isLate, _isOver, _graceIsOver, _patienceIsOver;
    private ITimer? _grace, _patience;

    public ElectorPoll(Electorate electorate, StorePathDigest digest, TimeSpan deadline, bool isHasty)
    {
        (_electors, _policy, _time, _retry) = (electorate.Electors, electorate.Policy, electorate.Time, electorate.Retry);
        (_digest, _deadline, _isHasty) = (digest, deadline, isHasty);
        _upstreams = new UpstreamPoll(electorate.Upstreams, electorate.Marks, electorate.Store);
    }

    /// <summary>A fault of this program for which somebody was not heard; null when there was none.</summary>
    public Exception? Fault => _fault;

    /// <summary>Ends it by a fault of this program; false when its outcome was there before.</summary>
    public bool Fail(Exception exception) => _outcome.TrySetException(exception);

    /// <summary>What came of it, as soon as nothing can change it, and at the deadline at the latest.</summary>
    public Task<Outcome> Outcome => _outcome.Task;

    /// <summary>Whether its outcome is there, and is not a refusal.</summary>
    public bool IsServed => Outcome is { IsCompletedSuccessfully: true, Result: Evidence.Outcome.Served };

    /// <summary>Listens no longer for late answers. Does nothing before the outcome.</summary>
    public void EndListening() => _events.Writer.TryWrite(() => _isOver |= _outcome.Task.IsCompleted);

    /// <summary>How long each elector took to its last word on a path, by name; when the asking is over.</summary>
    public IReadOnlyDictionary<string, TimeSpan> LatenciesOf(StorePath? path) =>
        path is null ? new Dictionary<string, TimeSpan>() : _candidates[path].Latencies;

    /// <summary>Asks everyone. Ends when all have spoken, or one deadline after the deadline.</summary>
    /// <param name="knownNames">Names that are known for the digest, for example from another path's references; each is asked
    /// about.</param>
    /// <param name="onSettled">Told at the end of what all answers come to, when an answer had left before.</param>
    public async Task RunAsync(IReadOnlyList<StorePath> knownNames, Action<Settlement> onSettled)
    {
        var asking = new CancellationTokenSource();
        _start = _time.GetTimestamp();
        _asking = asking.Token;
        using var deadline = Schedule(_deadline, () => _isLate = true);
        using var end = Schedule(_deadline * 2, () => _isOver = true);
        using var names = Schedule(NameGrace, AskWithoutName);
        AskUpstreams(_upstreams.TakeFor(null));
        _asks.AddRange(_electors.Select(elector =>
            (elector.Elector.Name, elector.Begin(_digest, knownNames.Count > 0 ? knownNames[0] : null, _statements, asking.Token))));
        CloseStatements();
        foreach (var name in knownNames)
        {
            AddName(name);
        }

        AskNameless();
        TryConclude();
        while (!(_outcome.Task.IsCompleted && (_isOver || HaveAllSpoken || IsOverturned)))
        {
            (await _events.Reader.ReadAsync())();
            while (_events.Reader.TryRead(out var next))
            {
                next(); // what has come meanwhile is heard before it is concluded: fewer answers come late
            }

            if (_isHasty && HaveAllAnswered)
            {
                _isLate = _isOver = true;
            }

            TryConclude();
        }

        await asking.CancelAsync();
        foreach (var timer in new[] { _grace, _patience }.OfType<ITimer>())
        {
            await timer.DisposeAsync();
        }

        if (await _outcome.Task is var outcome && outcome.Decided is { } path)
        {
            onSettled(new Settlement(outcome, All(path), IsSettled, ContestingOf(path)));
        }
    }

    /// <summary>Whether an answer that came after an agreement had left stands against it.</summary>
    private bool IsOverturned =>
        _outcome.Task is { IsCompletedSuccessfully: true, Result: Outcome.Served { Record: { IsSigned: true, Claim: { } claim } } }
        && (All(claim.Path).Granted != claim || !ContestingOf(claim.Path).IsEmpty);

    /// <summary>The other names of the digest that are granted beside this one.</summary>
    private ImmutableArray<StorePath> ContestingOf(StorePath path) =>
        [.. _candidates.Keys.Where(other => other != path && All(other).Granted is not null)];

    private Verdict All(StorePath path) => _policy.Except(path, _policy.Decide(path, _candidates[path].All), _time.GetUtcNow());

    /// <summary>Whether nobody has anything more to say.</summary>
    private bool HaveAllSpoken => _upstreams.HaveAllSpoken && _candidates.Values.All(ballots => ballots.AreSettled(_policy));

    private bool IsSettled => _upstreams.IsSettled && _candidates.Values.All(ballots => ballots.AreSettled(_policy));

    /// <summary>Whether everyone has been heard once, be it of a failure.</summary>
    private bool HaveAllAnswered => _upstreams.HaveAllSpoken && _candidates.Values.All(ballots => ballots.HaveAllAnswered(_policy));

    private ITimer Schedule(TimeSpan due, Action effect) =>
        _time.CreateTimer(_ => _events.Writer.TryWrite(effect), null, due, Timeout.InfiniteTimeSpan);

    /// <summary>Asks, tells the loop what came of it, and asks again while that is not conclusive.</summary>
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
                        _fault ??= exception; // ours: it costs the answer of one, and not the decision
                        return false;
                    }
                },
                _asking);
        }
        catch (OperationCanceledException) when (_asking.IsCancellationRequested)
        {
            // It is over.
        }
    }

    private void AskUpstreams(IReadOnlyList<Upstream> upstreams)
    {
        foreach (var upstream in upstreams)
        {
            _ = AskAsync(upstream);
        }
    }

    /// <summary>Asks an upstream: once, as it tries as often as is of use.</summary>
    private async Task AskAsync(Upstream upstream)
    {
        UpstreamAnswer answer;
        try
        {
            answer = await upstream.AskAsync(_digest, _asking);
        }
        catch (OperationCanceledException) when (_asking.IsCancellationRequested)
        {
            return; // it is over
        }
        catch (Exception exception)
        {
            _fault ??= exception; // ours: it costs the answer of one, and not the decision
            answer = new UpstreamAnswer.Failed(new UpstreamFault(UpstreamFailure.RequestFailed));
        }

        _events.Writer.TryWrite(() => Hear(upstream, answer));
    }

    private void Hear(Upstream upstream, UpstreamAnswer answer)
    {
        _upstreams.Hear(upstream, answer);
        if (_upstreams.Find(upstream) is UpstreamAnswer.Found { NarInfo: var narInfo })
        {
            _statements.Offer(narInfo);
            AddName(narInfo.StorePath);
        }

        AskNameless();
        CloseStatements();
    }

    /// <summary>Where all others have spoken, those that waited for a name need not wait any more.</summary>
    private void AskNameless()
    {
        if (_upstreams.IsWaitingForNames)
        {
            EndWaiting();
        }
    }

    private void AskWithoutName()
    {
        if (_candidates.Count is 0)
        {
            EndWaiting();
        }
    }

    /// <summary>Without any name they are asked by the digest alone; with names that they do not take, they have nothing.</summary>
    private void EndWaiting()
    {
        var rest = _upstreams.TakeRest();
        if (_candidates.Count is 0)
        {
            AskUpstreams(rest);
            return;
        }

        foreach (var upstream in rest)
        {
            _upstreams.Hear(upstream, new UpstreamAnswer.Absent());
        }
    }

    private void CloseStatements()
    {
        if (_upstreams.HaveAllSpoken)
        {
            _statements.Close();
        }
    }

    /// <summary>Every well-formed name that anyone gives for the digest is asked about: one upstream's wrong name blocks nothing.</summary>
    private void AddName(StorePath path)
    {
        if (!_candidates.TryAdd(path, new Ballots()))
        {
            return;
        }

        AskUpstreams(_upstreams.TakeFor(path));
        var ballots = _candidates[path];
        foreach (var (name, ask) in _asks)
        {
            _ = KeepAskingAsync(
                cancellation => ask(path, cancellation),
                ballot => ballots.Hear(name, ballot, _time.GetElapsedTime(_start)),
                ballot => ballot.IsFirm || ballot is Ballot.Silent { IsForGood: true });
        }
    }

    private void TryConclude()
    {
        if (!_outcome.Task.IsCompleted && Conclude() is { } outcome)
        {
            _outcome.TrySetResult(outcome);
        }
    }

    private Outcome? Conclude()
    {
        var now = _time.GetUtcNow();
        MarkFrozen();
        var verdicts = _candidates.ToDictionary(
            candidate => candidate.Key, candidate => candidate.Value.Decide(_policy, candidate.Key, _isLate, now));
        var choice = NameChoice.Of([.. verdicts.Select(name =>
            new NameVerdict(name.Key, name.Value, name.Value is null && _candidates[name.Key].MayBeGranted(_policy, name.Key, now)))]);
        var granted = choice.Granted;
        return _policy.Fallback is { } name && IsFallbackOpen(name) ? null
            : choice.IsOpen ? null
            : Fallback(granted, verdicts, now) ?? Contest(choice) ?? Grant(granted, now) ?? ContentAddressed(granted, verdicts, now)
                ?? (Outcome?)(Refuse(verdicts, granted) is { } refused ? refused with { Names = verdicts } : null);
    }

    /// <summary>Two granted names of one digest refuse each other: neither takes the other's place.</summary>
    private Outcome.Refused? Contest(NameChoice choice) =>
        choice.Contested.IsEmpty ? null
            : new Outcome.Refused("conflict", choice.Sentence, null, null, IsSettled, WasCutShort: false) { IsContested = true };

    /// <summary>Who was frozen since it spoke has not spoken.</summary>
    private void MarkFrozen()
    {
        foreach (var elector in _electors.Where(elector => elector.IsFrozen))
        {
            foreach (var ballots in _candidates.Values)
            {
                ballots.MarkFrozen(elector.Elector.Name);
            }
        }
    }

    /// <summary>What is granted is served once the best upstream that can be had in time has its NAR.</summary>
    private Outcome.Served? Grant(Verdict? granted, DateTimeOffset now) =>
        granted?.Granted is { } claim && HintsFor(claim) is { } hints ? new Outcome.Served(DecisionRecord.Of(granted, hints, now), granted)
            : null;

    private NarHints? HintsFor(OutputClaim claim)
    {
        var hints = _upstreams.HintsFor(claim, mustBeBest: !_graceIsOver && !_isLate);
        _grace ??= hints is null ? Schedule(PriorityGrace, () => _graceIsOver = true) : null;
        return hints;
    }

    /// <summary>In report mode, what the fallback has signed is served whatever is decided, with its own signature.</summary>
    private Outcome.Served? Fallback(Verdict? granted, Dictionary<StorePath, Verdict?> verdicts, DateTimeOffset now)
    {
        foreach (var (path, ballots) in _candidates)
        {
            if (_policy.Fallback is { } name
                && ballots.All.GetValueOrDefault(name) is Ballot.Claimed { Proof: VoteProof.BySignature { Signature: var signature } } vote
                && granted?.Granted != vote.Claim
                && Unvouched(path, verdicts) is { } verdict && HintsFor(vote.Claim) is { } hints)
            {
                return new Outcome.Served(DecisionRecord.OfFallback(
                    vote.Claim, hints with { Signatures = [signature] }, $"{verdict.Outcome}: {verdict.Sentence}", now), verdict);
            }
        }

        return null;
    }

    private bool IsFallbackOpen(string name) =>
        !_isLate && _candidates.Values.Any(ballots => ballots.All.GetValueOrDefault(name) is null or { IsFirm: false });

    /// <summary>What nobody grants is served for its content's sake, if an upstream's content address makes the path.</summary>
    private Outcome.Served? ContentAddressed(Verdict? granted, Dictionary<StorePath, Verdict?> verdicts, DateTimeOffset now)
    {
        if (granted is not null || !_policy.ServesContentAddressed || _upstreams.FindContentAddressed(_digest) is not var (claim, hints)
            || Unvouched(claim.Path, verdicts) is not { } verdict)
        {
            return null;
        }

        var isSettled = _candidates[claim.Path].AreSettled(_policy);
        return new Outcome.Served(
            DecisionRecord.OfContentAddress(claim, hints, $"content-addressed; {verdict.Sentence}", now, isSettled), verdict);
    }

    /// <summary>The verdict on a path that can be served without one: while it is open, others are waited for, but not as long as the
    /// deadline.</summary>
    private Verdict? Unvouched(StorePath path, Dictionary<StorePath, Verdict?> verdicts)
    {
        if (verdicts[path] is { } verdict)
        {
            return verdict;
        }

        _patience ??= Schedule(Patience, () => _patienceIsOver = true);
        return _patienceIsOver ? _policy.Decide(path, _candidates[path].All) : null;
    }

    private Outcome.Refused? Refuse(Dictionary<StorePath, Verdict?> verdicts, Verdict? granted)
    {
        if (granted is not null)
        {
            return _upstreams.HaveAllSpoken || _isLate
                ? new Outcome.Refused(
                    "no-upstream", $"{granted.Sentence}; {granted.Outcome}, but no upstream has that NAR{_upstreams.Complaint}",
                    granted.Granted!.Path, granted, IsSettled && granted.Answers.All(answer => answer.Ballot.IsFirm),
                    _upstreams.HasOpenFailure || !_upstreams.HaveAllSpoken)
                : null;
        }

        var isNameCertain = verdicts.Values.Any(verdict => verdict?.IsNameCertain is true);
        var isOpen = verdicts.ContainsValue(null) || !(_upstreams.HaveAllSpoken || isNameCertain);
        if (isOpen && !_isLate)
        {
            return null;
        }

        var isNamed = verdicts.Values.Any(verdict => verdict?.Answers.Any(answer => answer.Ballot is Ballot.Claimed) is true);
        var wasCutShort = _isLate || (_upstreams.HasOpenFailure && !isNamed);
        var (path, fullest) = verdicts.DefaultIfEmpty()
            .MaxBy(verdict => verdict.Value?.Answers.Count(answer => answer.Ballot is Ballot.Claimed) ?? -1);
        return fullest is null
            ? new Outcome.Refused(
                "no-upstream", $"no upstream has {_digest}{_upstreams.Complaint}", null, null, _upstreams.IsSettled, wasCutShort)
            : new Outcome.Refused(fullest.Outcome, fullest.Sentence + _upstreams.Complaint, path, fullest, IsSettled
                && fullest.Answers.All(answer => answer.Ballot.IsFirm), wasCutShort);
    }
}
