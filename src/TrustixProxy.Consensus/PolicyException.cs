using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>An operator's exception: serves some paths although the rule is not met, always with a reason and an expiry.</summary>
/// <param name="Match">Glob of the paths' names.</param>
/// <param name="Cache">The signed cache whose claim is accepted; null when a hash is named.</param>
/// <param name="NarHash">The NAR hash of the accepted claim, if an elector proves one; null when a cache is named.</param>
/// <param name="Reason">The operator's reason.</param>
/// <param name="Expires">The time at which it expires.</param>
public sealed record PolicyException(string Match, string? Cache, NixHash? NarHash, string Reason, DateTimeOffset Expires)
{
    /// <summary>Whether no missing ballot can affect the accepted claim.</summary>
    /// <param name="ballots">Ballots by elector name.</param>
    /// <param name="electors">Number of electors.</param>
    public bool IsSettledBy(IReadOnlyDictionary<string, Ballot> ballots, int electors) =>
        Cache is null ? ballots.Count == electors : ballots.ContainsKey(Cache);

    /// <summary>Returns the one accepted claim; null when there is none, or more than one.</summary>
    internal OutputClaim? Accept(IEnumerable<Answer> answers)
    {
        var accepted = answers.Where(answer => answer.Ballot is Ballot.Claimed vote
            && (Cache is null ? vote.Claim.NarHash == NarHash : answer.Elector is Elector.Cache && answer.Elector.Name == Cache))
            .Select(answer => ((Ballot.Claimed)answer.Ballot).Claim).Distinct().Take(2).ToList();
        return accepted is [var claim] ? claim : null;
    }

    /// <summary>Describes what is accepted, why and until when, in one line.</summary>
    public override string ToString() =>
        $"'{Match}' accepts {(Cache is null ? NarHash : $"cache:{Cache}")} until {Expires:yyyy-MM-dd'T'HH:mm:ss'Z'} ({Reason})";

    internal string Identity => $"{Match}|{(Cache is null ? NarHash : $"cache:{Cache}")}|{Expires.ToUnixTimeSeconds()}|{Reason}";
}
