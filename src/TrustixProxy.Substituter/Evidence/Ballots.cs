using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>The ballots on one path: the latest answer of each elector.</summary>
internal sealed class Ballots
{
    private readonly Dictionary<string, Ballot> _last = [], _telling = [];

    /// <summary>The latest answer of each elector, failures included; for a paused elector, the reason for the pause.</summary>
    public IReadOnlyDictionary<string, Ballot> All => _telling;

    /// <summary>Time to each elector's latest answer.</summary>
    public Dictionary<string, TimeSpan> Latencies { get; } = [];

    /// <summary>Discards the ballot of a frozen elector.</summary>
    public void MarkFrozen(string elector) => _last[elector] = _telling[elector] = new Ballot.Silent(SilenceReason.Frozen);

    public void Hear(string elector, Ballot ballot, TimeSpan latency)
    {
        EvidenceMetrics.Heard(elector, ballot, latency);
        Latencies[elector] = latency;
        _last[elector] = ballot;
        if (!IsBreakerOpen(ballot) || !_telling.ContainsKey(elector))
        {
            _telling[elector] = ballot;
        }
    }

    /// <summary>Whether every elector's answer is final.</summary>
    public bool AreSettled(Policy policy) =>
        policy.Electors.All(elector => _last.TryGetValue(elector.Name, out var ballot) && IsLastWord(ballot));

    /// <summary>Whether each elector has answered or failed at least once.</summary>
    public bool HaveAllAnswered(Policy policy) => policy.Electors.All(elector => _last.ContainsKey(elector.Name));

    /// <summary>The verdict once no answer can change it; at the deadline, the verdict on the answers so far.</summary>
    public Verdict? Decide(Policy policy, StorePath path, bool isLate, DateTimeOffset now)
    {
        if (isLate)
        {
            return policy.Except(path, policy.Decide(path, _telling), now);
        }

        // An elector behind an open breaker counts as silent immediately, unless only that puts the quorum out of reach; then waiting
        // helps.
        // It never completes its operator's vote, which counts early only when all electors of the operator have answered.
        var firm = Where(IsLastWord);
        var isReachable = policy.CanReachQuorum(path, firm);
        if (!policy.TryDecide(path, AtOnce(policy), out var verdict)
            && (isReachable || !policy.TryDecide(path, Where(ballot => IsLastWord(ballot) || IsBreakerOpen(ballot)), out verdict)
                || verdict.Granted is not null))
        {
            return null;
        }

        var lacksQuorum = verdict is Verdict.Undecided or Verdict.Conflict { Reason: ConflictReason.NoQuorum };
        var isOpen = (lacksQuorum && isReachable)
            || (verdict.Granted is null && IsExceptionOpen(policy, path, firm, now));
        return isOpen ? null : policy.Except(path, verdict, now);
    }

    /// <summary>Whether pending answers could still grant the path.</summary>
    public bool MayBeGranted(Policy policy, StorePath path, DateTimeOffset now)
    {
        var firm = Where(IsLastWord);
        return policy.CanReachQuorum(path, firm) || IsExceptionOpen(policy, path, firm, now);
    }

    private static bool IsExceptionOpen(Policy policy, StorePath path, Dictionary<string, Ballot> firm, DateTimeOffset now) =>
        policy.ExceptionFor(path, now) is { } exception && !exception.IsSettledBy(firm, policy.Electors.Length);

    private static bool IsBreakerOpen(Ballot ballot) => ballot is Ballot.Silent { Reason: SilenceReason.BreakerOpen };

    private static bool IsLastWord(Ballot ballot) => ballot.IsFirm || ballot is Ballot.Silent { IsForGood: true };

    /// <summary>Latest answers, plus silence for electors behind an open breaker whose operator has not voted by another elector.</summary>
    private Dictionary<string, Ballot> AtOnce(Policy policy)
    {
        var voting = policy.Electors.Where(elector => _last.GetValueOrDefault(elector.Name) is Ballot.Claimed)
            .Select(elector => elector.Operator).ToHashSet();
        var counting = policy.Electors.Where(elector => _last.TryGetValue(elector.Name, out var ballot)
            && (IsLastWord(ballot) || (IsBreakerOpen(ballot) && !voting.Contains(elector.Operator))));
        return counting.ToDictionary(elector => elector.Name, elector => _last[elector.Name]);
    }

    private Dictionary<string, Ballot> Where(Func<Ballot, bool> counts) =>
        _last.Where(entry => counts(entry.Value)).ToDictionary(entry => entry.Key, entry => entry.Value);
}
