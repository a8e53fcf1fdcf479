using System.Threading.Channels;
using Polly;
using Polly.Retry;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What came of asking everyone about a digest.</summary>
internal abstract record Outcome
{
    /// <summary>A claim is agreed on, and an upstream has its NAR.</summary>
    public sealed record Served(Verdict.Agreed Verdict, NarHints Hints) : Outcome;

    /// <summary>Nothing is served.</summary>
    /// <param name="Word">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="IsSettled">Whether everyone has spoken: it may be remembered for a while.</param>
    /// <param name="WasCutShort">Whether someone who failed to answer before the deadline could have changed it.</param>
    public sealed record Refused(string Word, string Sentence, bool IsSettled, bool WasCutShort) : Outcome;
}

/// <summary>All asking about one digest: every upstream for its name, every elector about every name, all at once and until the verdict cannot change.</summary>
/// <remarks>
/// <code>
/// upstreams ──names──▶ electors ──ballots──▶ one loop that owns all state ──▶ outcome, as soon as nothing can change it
///           ──narinfos────────────────────▶                               ──▶ stragglers, for one deadline more
/// </code>
/// Whoever fails is asked again until the deadline; what is not conclusive then counts as silence.</remarks>
internal sealed class Deliberation
{
    private static readonly RetryStrategyOptions UntilConclusive = new()
    {
        MaxRetryAttempts = int.MaxValue,
        Delay = TimeSpan.FromMilliseconds(100),
        MaxDelay = TimeSpan.FromMilliseconds(250),
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result is false),
    };

    private static readonly TimeSpan PriorityGrace = TimeSpan.FromMilliseconds(200);

    private readonly StorePathDigest _digest;
    private readonly IReadOnlyList<LogElector> _electors;
    private readonly UpstreamPoll _upstreams;
    private readonly Dictionary<StorePath, Ballots> _candidates = [];
    private readonly Policy _policy;
    private readonly TimeSpan _deadline;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _retry;
    private readonly Channel<Action> _events = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource<Outcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationToken _asking;
    private bool _isLate, _isOver, _graceIsOver;
    private ITimer? _grace;

    public Deliberation(
        StorePathDigest digest, IReadOnlyList<LogElector> electors, IReadOnlyList<Upstream> upstreams, UpstreamMarks marks,
        Policy policy, TimeSpan deadline, TimeProvider time)
    {
        (_digest, _electors, _policy, _deadline, _time) = (digest, electors, policy, deadline, time);
        _upstreams = new UpstreamPoll(upstreams, marks);
        var builder = new ResiliencePipelineBuilder { TimeProvider = time };
        _retry = builder.AddRetry(UntilConclusive).Build();
    }

    /// <summary>What came of it, as soon as nothing can change it, and at the deadline at the latest.</summary>
    public Task<Outcome> Outcome => _outcome.Task;

    /// <summary>Asks everyone. Ends when all have spoken, or one deadline after the deadline.</summary>
    /// <param name="knownName">A name that another path's references give for the digest; null when none does.</param>
    /// <param name="onSettled">Told at the end of what all answers together come to, when an agreement had left before.</param>
    public async Task RunAsync(StorePath? knownName, Action<Outcome.Served, Verdict> onSettled)
    {
        var asking = new CancellationTokenSource();
        _asking = asking.Token;
        using var deadline = Schedule(_deadline, () => _isLate = true);
        using var end = Schedule(_deadline * 2, () => _isOver = true);
        foreach (var upstream in _upstreams.All)
        {
            _ = KeepAskingAsync(cancellation => upstream.AskAsync(_digest, cancellation), answer => Hear(upstream, answer), answer => answer is not UpstreamAnswer.Failed);
        }

        AddName(knownName);
        TryConclude();
        while (!(_outcome.Task.IsCompleted && (_isOver || IsSettled || IsOverturned)))
        {
            (await _events.Reader.ReadAsync())();
            TryConclude();
        }

        await asking.CancelAsync();
        if (_grace is not null)
        {
            await _grace.DisposeAsync();
        }

        if (await _outcome.Task is Outcome.Served served)
        {
            onSettled(served, All(served));
        }
    }

    /// <summary>Whether an answer that came after an agreement had left stands against it.</summary>
    private bool IsOverturned => _outcome.Task is { IsCompletedSuccessfully: true, Result: Outcome.Served served } && All(served) is not Verdict.Agreed;

    private Verdict All(Outcome.Served served) => _policy.Decide(_candidates[served.Verdict.Claim.Path].All);

    private bool IsSettled => _upstreams.IsSettled && _candidates.Values.All(ballots => ballots.AreSettled(_policy));

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
                    var answer = await ask(cancellation);
                    _events.Writer.TryWrite(() => hear(answer));
                    return isConclusive(answer);
                },
                _asking);
        }
        catch (OperationCanceledException) when (_asking.IsCancellationRequested)
        {
            // It is over.
        }
        catch (Exception exception)
        {
            _events.Writer.TryWrite(() => _isOver = _outcome.TrySetException(exception) || _isOver); // a fault of ours: nobody waits for the deadline
        }
    }

    private void Hear(Upstream upstream, UpstreamAnswer answer)
    {
        _upstreams.Hear(upstream, answer);
        AddName((answer as UpstreamAnswer.Found)?.NarInfo.StorePath);
    }

    /// <summary>Every well-formed name that anyone gives for the digest is asked about: one upstream's wrong name blocks nothing.</summary>
    private void AddName(StorePath? path)
    {
        if (path is null || !_candidates.TryAdd(path, new Ballots()))
        {
            return;
        }

        var ballots = _candidates[path];
        foreach (var elector in _electors)
        {
            _ = KeepAskingAsync(
                cancellation => elector.AskAsync(path, cancellation),
                ballot => ballots.Hear(elector.Elector.Name, ballot),
                ballot => ballot.IsFirm || ballot is Ballot.Silent { Reason: SilenceReason.Frozen });
        }
    }

    private void TryConclude()
    {
        if (_outcome.Task.IsCompleted)
        {
            return;
        }

        var verdicts = _candidates.Values.Select(ballots => ballots.Decide(_policy, _isLate)).ToList();
        if ((Conclude(verdicts.OfType<Verdict.Agreed>().FirstOrDefault()) ?? Refuse(verdicts)) is { } outcome)
        {
            _outcome.TrySetResult(outcome);
        }
    }

    /// <summary>An agreement is served once the best upstream that can be had in time has its NAR.</summary>
    private Outcome? Conclude(Verdict.Agreed? agreed)
    {
        if (agreed is null)
        {
            return null;
        }

        if (_upstreams.HintsFor(agreed.Claim, mustBeBest: !_graceIsOver && !_isLate) is { } hints)
        {
            return new Outcome.Served(agreed, hints);
        }

        _grace ??= Schedule(PriorityGrace, () => _graceIsOver = true);
        return _upstreams.IsSettled || _isLate
            ? new Outcome.Refused("no-upstream", $"{agreed.Sentence}; agreed, but no upstream has that NAR{_upstreams.Complaint}", IsSettled && agreed.Answers.All(answer => answer.Ballot.IsFirm), !_upstreams.IsSettled)
            : null;
    }

    private Outcome.Refused? Refuse(List<Verdict?> verdicts)
    {
        var isNameCertain = verdicts.Any(verdict => verdict is not null && verdict.Answers.Any(answer => answer.Ballot is Ballot.Claimed));
        var isOpen = verdicts.Contains(null) || !(_upstreams.IsSettled || isNameCertain);
        if ((isOpen && !_isLate) || verdicts.Any(verdict => verdict is Verdict.Agreed))
        {
            return null;
        }

        var fullest = verdicts.OfType<Verdict>().MaxBy(verdict => verdict.Answers.Count(answer => answer.Ballot is Ballot.Claimed));
        return fullest is null
            ? new Outcome.Refused("no-upstream", $"no upstream has {_digest}{_upstreams.Complaint}", _upstreams.IsSettled, _isLate)
            : new Outcome.Refused(fullest.Outcome, fullest.Sentence + _upstreams.Complaint, IsSettled && fullest.Answers.All(answer => answer.Ballot.IsFirm), _isLate);
    }
}
