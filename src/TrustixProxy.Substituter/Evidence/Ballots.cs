using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>The ballots on one path: the last word of each elector.</summary>
internal sealed class Ballots
{
    private readonly Dictionary<string, Ballot> _last = [], _telling = [];

    /// <summary>Everyone's last word, failures included: of one that is not asked for a moment, why it is not.</summary>
    public IReadOnlyDictionary<string, Ballot> All => _telling;

    /// <summary>How long each took to its last word.</summary>
    public Dictionary<string, TimeSpan> Latencies { get; } = [];

    /// <summary>Takes the word of an elector that is frozen out of account.</summary>
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

    /// <summary>Whether no elector's word can change any more.</summary>
    public bool AreSettled(Policy policy) =>
        policy.Electors.All(elector => _last.TryGetValue(elector.Name, out var ballot) && IsLastWord(ballot));

    /// <summary>Whether each elector has been heard once, be it of a failure.</summary>
    public bool HaveAllAnswered(Policy policy) => policy.Electors.All(elector => _last.ContainsKey(elector.Name));

    /// <summary>The verdict that nothing can change; at the deadline, the verdict on what there is.</summary>
    public Verdict? Decide(Policy policy, StorePath path, bool isLate, DateTimeOffset now)
    {
        if (isLate)
        {
            return policy.Except(path, policy.Decide(path, _telling), now);
        }

        // One behind an open breaker is silent at once, unless that alone puts the quorum out of reach: then there is something to wait
        // for.
        // It never completes its operator's vote: that counts early only when all electors of the operator have answered.
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

    /// <summary>Whether words that are still to come could grant the path.</summary>
    public bool MayBeGranted(Policy policy, StorePath path, DateTimeOffset now)
    {
        var firm = Where(IsLastWord);
        return policy.CanReachQuorum(path, firm) || IsExceptionOpen(policy, path, firm, now);
    }

    private static bool IsExceptionOpen(Policy policy, StorePath path, Dictionary<string, Ballot> firm, DateTimeOffset now) =>
        policy.ExceptionFor(path, now) is { } exception && !exception.IsSettledBy(firm, policy.Electors.Length);

    private static bool IsBreakerOpen(Ballot ballot) => ballot is Ballot.Silent { Reason: SilenceReason.BreakerOpen };

    private static bool IsLastWord(Ballot ballot) => ballot.IsFirm || ballot is Ballot.Silent { IsForGood: true };

    /// <summary>Last words, and the silence of those behind an open breaker whose operator has not voted by another elector.</summary>
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
