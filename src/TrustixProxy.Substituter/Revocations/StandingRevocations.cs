using System.Collections.Frozen;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Snapshot of the revocations for fast, allocation-free lookups, since every answer checks it.</summary>
internal sealed class StandingRevocations
{
    private readonly FrozenDictionary<StorePathDigest, Revocation> _paths;
    private readonly FrozenDictionary<NixHash, Revocation> _nars;

    /// <summary>Revocations of logs, by log name.</summary>
    private readonly FrozenDictionary<string, ImmutableArray<RevokedLeaves>> _logs;

    /// <param name="revocations">Revocations that were not reversed.</param>
    /// <param name="logNames">Names of the configured logs by log id; others are ignored.</param>
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

    /// <summary>Returns the revocation of a path; null if not revoked.</summary>
    public Revocation? Find(StorePathDigest digest) => IsEmpty ? null : _paths.GetValueOrDefault(digest);

    /// <summary>Returns the revocation of a claim's path or NAR; null if neither is revoked.</summary>
    public Revocation? Find(OutputClaim claim) =>
        IsEmpty ? null : _paths.GetValueOrDefault(claim.Path.Digest) ?? _nars.GetValueOrDefault(claim.NarHash);

    /// <summary>Returns the revocations of a log; empty if there are none.</summary>
    public ImmutableArray<RevokedLeaves> OfLog(string name) => _logs.TryGetValue(name, out var leaves) ? leaves : [];

    /// <summary>Whether a stored vote lost trust: its leaf is revoked, or not known to be in a history consistent with the revocation's
    /// head.</summary>
    /// <param name="elector">The log's name.</param>
    /// <param name="position">Position of the claim in the log; null for a signed cache.</param>
    /// <param name="proven">Heads proven consistent.</param>
    public bool Covers(string elector, VotePosition? position, ProvenHeads proven) => position is not null
        && OfLog(elector).Any(
            leaves => leaves.Covers(position) || (leaves.Head is { } head && !proven.Knows(head, position.HeadSize, position.HeadRoot)));
}

/// <summary>The revoked leaves of a log.</summary>
/// <param name="Since">Index of the first revoked leaf.</param>
/// <param name="Head">The head that the remaining leaves must be consistent with; null if unknown.</param>
internal sealed record RevokedLeaves(long Since, RevokedHead? Head)
{
    /// <summary>Whether a vote is rejected by its position alone. Without an inclusion proof, a position is unproven.</summary>
    public bool Covers(VotePosition position) => position.Leaf >= Since || !position.IsTied;
}
