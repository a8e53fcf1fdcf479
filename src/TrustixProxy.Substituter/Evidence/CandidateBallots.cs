using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>The ballots on every name of one digest.</summary>
/// <param name="policy">Judges the ballots.</param>
/// <param name="values">What upstreams and electors say that builds produced.</param>
/// <param name="time">The clock, by which exceptions of the policy expire.</param>
internal sealed class CandidateBallots(Policy policy, CandidateValues values, TimeProvider time)
{
    private readonly Dictionary<StorePath, Ballots> _candidates = [];

    /// <summary>Whether no name is known yet.</summary>
    public bool IsEmpty => _candidates.Count is 0;

    /// <summary>Whether no elector's word on any name can change any more.</summary>
    public bool AreSettled => _candidates.Values.All(ballots => ballots.AreSettled);

    /// <summary>Whether each elector has answered or failed once about every name.</summary>
    public bool HaveAllAnswered => _candidates.Values.All(ballots => ballots.HaveAllAnswered);

    /// <summary>The ballots on one name.</summary>
    public Ballots this[StorePath path] => _candidates[path];

    /// <summary>Adds a name; false when it was added before.</summary>
    public bool TryAdd(StorePath path) => _candidates.TryAdd(path, new Ballots(policy, values));

    /// <summary>Takes back the unproven hashes, which a new candidate may prove; returns the electors that must be asked again, by
    /// name.</summary>
    public IReadOnlyList<(StorePath Path, string Elector)> TakeBackUnproven() =>
        [.. _candidates.SelectMany(candidate => candidate.Value.TakeBackUnproven().Select(elector => (candidate.Key, elector)))];

    /// <summary>The last words of one elector, by name; null for a name on which it has not spoken.</summary>
    public IEnumerable<(StorePath Path, Ballot? Ballot)> Of(string elector) =>
        _candidates.Select(candidate => (candidate.Key, candidate.Value.All.GetValueOrDefault(elector)));

    /// <summary>Voids what an elector said about any name.</summary>
    public void MarkFrozen(string elector)
    {
        foreach (var ballots in _candidates.Values)
        {
            ballots.MarkFrozen(elector);
        }
    }

    /// <summary>Decides on every name; null for a name whose verdict can still change.</summary>
    /// <param name="isLate">Whether the deadline has passed: then silence counts as it stands.</param>
    public Dictionary<StorePath, Verdict?> DecideEach(bool isLate, DateTimeOffset now) => _candidates.ToDictionary(
        candidate => candidate.Key, candidate => candidate.Value.Decide(candidate.Key, isLate, now));

    /// <summary>Decides on one name by what is there, whether or not more is to come.</summary>
    public Verdict Decide(StorePath path) => policy.Decide(path, _candidates[path].All);

    /// <summary>Decides on one name by what is there, exceptions of the policy included.</summary>
    public Verdict DecideAll(StorePath path) => policy.Except(path, Decide(path), time.GetUtcNow());

    /// <summary>The other names of the digest that are granted beside this one.</summary>
    public ImmutableArray<StorePath> Contesting(StorePath path) =>
        [.. _candidates.Keys.Where(other => other != path && DecideAll(other).Granted is not null)];
}
