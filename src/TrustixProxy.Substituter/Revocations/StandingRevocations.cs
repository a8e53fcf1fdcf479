using System.Collections.Frozen;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>What is revoked at one time, to be looked up fast and without garbage: every answer asks.</summary>
internal sealed class StandingRevocations
{
    private readonly FrozenDictionary<StorePathDigest, Revocation> _paths;
    private readonly FrozenDictionary<NixHash, Revocation> _nars;

    /// <summary>What is revoked of logs, by their names.</summary>
    private readonly FrozenDictionary<string, ImmutableArray<RevokedLeaves>> _logs;

    /// <param name="revocations">Those that were not taken back.</param>
    /// <param name="logNames">Names of the logs by their ids; others are not asked here.</param>
    public StandingRevocations(ImmutableArray<Revocation> revocations, FrozenDictionary<string, string> logNames)
    {
        IsEmpty = revocations.IsEmpty;
        _paths = revocations.Where(revocation => revocation.Subject is RevokedSubject.Path)
            .ToFrozenDictionary(revocation => ((RevokedSubject.Path)revocation.Subject).Digest);
        _nars = revocations.Where(revocation => revocation.Subject is RevokedSubject.Nar)
            .ToFrozenDictionary(revocation => ((RevokedSubject.Nar)revocation.Subject).NarHash);
        _logs = revocations.Where(revocation => revocation.Subject is RevokedSubject.Log log && logNames.ContainsKey(log.LogId))
            .GroupBy(revocation => logNames[((RevokedSubject.Log)revocation.Subject).LogId])
            .ToFrozenDictionary(group => group.Key, group => group.Select(
                revocation => new RevokedLeaves(((RevokedSubject.Log)revocation.Subject).Since, revocation.Head)).ToImmutableArray());
    }

    public static StandingRevocations None { get; } = new([], FrozenDictionary<string, string>.Empty);

    public bool IsEmpty { get; }

    /// <summary>The revocation of a path; null when it is not revoked.</summary>
    public Revocation? Find(StorePathDigest digest) => IsEmpty ? null : _paths.GetValueOrDefault(digest);

    /// <summary>The revocation of a claim's path or NAR; null when neither is revoked.</summary>
    public Revocation? Find(OutputClaim claim) =>
        IsEmpty ? null : _paths.GetValueOrDefault(claim.Path.Digest) ?? _nars.GetValueOrDefault(claim.NarHash);

    /// <summary>What is revoked of a log; empty when nothing is.</summary>
    public ImmutableArray<RevokedLeaves> OfLog(string name) => _logs.TryGetValue(name, out var leaves) ? leaves : [];

    /// <summary>Whether a kept vote is no longer believed: its leaf is revoked, or is not known to be in a history that is consistent with
    /// the revocation's head.</summary>
    /// <param name="elector">The log's name.</param>
    /// <param name="position">Where the log holds the claim; null for a signed cache.</param>
    /// <param name="proven">What heads were proven consistent.</param>
    public bool Covers(string elector, VotePosition? position, ProvenHeads proven) => position is not null
        && OfLog(elector).Any(
            leaves => leaves.Covers(position) || (leaves.Head is { } head && !proven.Knows(head, position.HeadSize, position.HeadRoot)));
}

/// <summary>The leaves of a log that are no longer believed.</summary>
/// <param name="Since">The first of them.</param>
/// <param name="Head">The head that the others must be consistent with; null when none is known.</param>
internal sealed record RevokedLeaves(long Since, RevokedHead? Head)
{
    /// <summary>Whether a vote is not believed for its position alone. Without an inclusion proof a position is only what somebody
    /// says.</summary>
    public bool Covers(VotePosition position) => position.Leaf >= Since || !position.IsTied;
}
