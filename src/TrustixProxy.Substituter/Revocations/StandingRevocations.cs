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

    /// <summary>The first leaf that is no longer believed, by the log's name.</summary>
    private readonly FrozenDictionary<string, long> _logs;

    /// <param name="revocations">Those that were not taken back.</param>
    /// <param name="logNames">Names of the logs by their ids; others are not asked here.</param>
    public StandingRevocations(ImmutableArray<Revocation> revocations, FrozenDictionary<string, string> logNames)
    {
        IsEmpty = revocations.IsEmpty;
        _paths = revocations.Where(revocation => revocation.Subject is RevokedSubject.Path).ToFrozenDictionary(revocation => ((RevokedSubject.Path)revocation.Subject).Digest);
        _nars = revocations.Where(revocation => revocation.Subject is RevokedSubject.Nar).ToFrozenDictionary(revocation => ((RevokedSubject.Nar)revocation.Subject).NarHash);
        _logs = revocations.Select(revocation => revocation.Subject).OfType<RevokedSubject.Log>().Where(log => logNames.ContainsKey(log.LogId))
            .GroupBy(log => logNames[log.LogId]).ToFrozenDictionary(group => group.Key, group => group.Min(log => log.Since));
    }

    public static StandingRevocations None { get; } = new([], FrozenDictionary<string, string>.Empty);

    public bool IsEmpty { get; }

    /// <summary>The revocation of a path; null when it is not revoked.</summary>
    public Revocation? Find(StorePathDigest digest) => IsEmpty ? null : _paths.GetValueOrDefault(digest);

    /// <summary>The revocation of a claim's path or NAR; null when neither is revoked.</summary>
    public Revocation? Find(OutputClaim claim) => IsEmpty ? null : _paths.GetValueOrDefault(claim.Path.Digest) ?? _nars.GetValueOrDefault(claim.NarHash);

    /// <summary>Whether a log's leaf is no longer believed.</summary>
    /// <param name="elector">The log's name.</param>
    /// <param name="position">Where the log holds the claim; null for a signed cache.</param>
    public bool Covers(string elector, VotePosition? position) => position?.Leaf >= _logs.GetValueOrDefault(elector, long.MaxValue);
}
