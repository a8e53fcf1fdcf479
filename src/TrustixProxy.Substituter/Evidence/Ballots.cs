using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>The ballots on one path: the latest answer of each elector.</summary>
/// <param name="policy">Judges the ballots.</param>
/// <param name="values">Candidates that may yet prove a hash whose signature fits none so far.</param>
internal sealed class Ballots(Policy policy, CandidateValues values)
{
    private readonly Dictionary<string, Ballot> _last = [], _telling = [];

    /// <summary>The latest answer of each elector, failures included; for a paused elector, the reason for the pause.</summary>
    public IReadOnlyDictionary<string, Ballot> All => _telling;

    /// <summary>Time to each elector's latest answer.</summary>
    public Dictionary<string, TimeSpan> Latencies { get; } = [];

    /// <summary>Discards the ballot of a frozen elector.</summary>
    public void MarkFrozen(string elector) => _last[elector] = _telling[elector] = new Ballot.Silent(SilenceReason.Frozen);

    /// <summary>Takes back the unproven hashes, which a new candidate may prove; returns the electors that must be asked again.</summary>
    public IReadOnlyList<string> TakeBackUnproven()
    {
        List<string> electors = [.. _last.Where(entry => IsUnproven(entry.Value)).Select(entry => entry.Key)];
        electors.ForEach(elector => _last.Remove(elector));
        return electors;
    }

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
    public bool AreSettled => policy.Electors.All(elector => _last.TryGetValue(elector.Name, out var ballot) && IsLastWord(ballot));

    /// <summary>Whether each elector has answered or failed at least once.</summary>
    public bool HaveAllAnswered => policy.Electors.All(elector => _last.ContainsKey(elector.Name));

    /// <summary>The verdict once no answer can change it; at the deadline, the verdict on the answers so far.</summary>
    public Verdict? Decide(StorePath path, bool isLate, DateTimeOffset now)
    {
        if (isLate)
        {
            return policy.Except(path, policy.Decide(path, _telling), now);
        }

        // An elector behind an open breaker, or with an unproven hash, counts as silent immediately, unless only that puts the quorum out
        // of reach; then waiting helps.
        // It never completes its operator's vote, which counts early only when all electors of the operator have answered.
        var firm = Where(IsLastWord);
        var isReachable = policy.CanReachQuorum(path, firm);
        if (!policy.TryDecide(path, AtOnce(), out var verdict)
            && (isReachable || !policy.TryDecide(path, Where(ballot => IsLastWord(ballot) || IsPending(ballot)), out verdict)
                || verdict.Granted is not null))
        {
            return null;
        }

        var lacksQuorum = verdict is Verdict.Undecided or Verdict.Conflict { Reason: ConflictReason.NoQuorum };
        var isOpen = (lacksQuorum && isReachable)
            || (verdict.Granted is null && IsExceptionOpen(path, firm, now));
        return isOpen ? null : policy.Except(path, verdict, now);
    }

    /// <summary>Whether pending answers could still grant the path.</summary>
    public bool MayBeGranted(StorePath path, DateTimeOffset now)
    {
        var firm = Where(IsLastWord);
        return policy.CanReachQuorum(path, firm) || IsExceptionOpen(path, firm, now);
    }

    private bool IsExceptionOpen(StorePath path, Dictionary<string, Ballot> firm, DateTimeOffset now) =>
        policy.ExceptionFor(path, now) is { } exception && !exception.IsSettledBy(firm, policy.Electors.Length);

    private static bool IsBreakerOpen(Ballot ballot) => ballot is Ballot.Silent { Reason: SilenceReason.BreakerOpen };

    private static bool IsUnproven(Ballot ballot) => ballot is Ballot.Silent { Reason: SilenceReason.UnprovenHash };

    private static bool IsPending(Ballot ballot) => IsBreakerOpen(ballot) || IsUnproven(ballot);

    private bool IsLastWord(Ballot ballot) =>
        ballot.IsFirm || ballot is Ballot.Silent { IsForGood: true } || (IsUnproven(ballot) && AreCandidatesComplete);

    /// <summary>Whether nobody will give another candidate for an unproven hash.</summary>
    private bool AreCandidatesComplete => values.AreUpstreamsComplete && policy.Electors.All(elector =>
        _last.TryGetValue(elector.Name, out var ballot)
            && (ballot.IsFirm || IsUnproven(ballot) || ballot is Ballot.Silent { IsForGood: true }));

    /// <summary>Latest answers, plus silence for pending electors whose operator has not voted by another elector.</summary>
    private Dictionary<string, Ballot> AtOnce()
    {
        var voting = policy.Electors.Where(elector => _last.GetValueOrDefault(elector.Name) is Ballot.Claimed)
            .Select(elector => elector.Operator).ToHashSet();
        var counting = policy.Electors.Where(elector => _last.TryGetValue(elector.Name, out var ballot)
            && (IsLastWord(ballot) || (IsPending(ballot) && !voting.Contains(elector.Operator))));
        return counting.ToDictionary(elector => elector.Name, elector => _last[elector.Name]);
    }

    private Dictionary<string, Ballot> Where(Func<Ballot, bool> counts) =>
        _last.Where(entry => counts(entry.Value)).ToDictionary(entry => entry.Key, entry => entry.Value);
}
