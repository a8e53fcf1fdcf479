using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>An operator's word that some paths are served although the rule is not met: never without a reason, and never for
/// good.</summary>
/// <param name="Match">Glob of the paths' names.</param>
/// <param name="Cache">The signed cache whose word is taken; null when it is a hash that is named.</param>
/// <param name="NarHash">The NAR hash of the claim that is taken, if an elector proves one; null when it is a cache that is named.</param>
/// <param name="Reason">Why.</param>
/// <param name="Expires">Until when.</param>
public sealed record PolicyException(string Match, string? Cache, NixHash? NarHash, string Reason, DateTimeOffset Expires)
{
    /// <summary>Whether nobody who has not answered yet has a say in what is accepted.</summary>
    /// <param name="ballots">Ballots by elector name.</param>
    /// <param name="electors">How many electors there are.</param>
    public bool IsSettledBy(IReadOnlyDictionary<string, Ballot> ballots, int electors) =>
        Cache is null ? ballots.Count == electors : ballots.ContainsKey(Cache);

    /// <summary>The one claim that is accepted; null when there is none, or more than one.</summary>
    internal OutputClaim? Accept(IEnumerable<Answer> answers)
    {
        var accepted = answers.Where(answer => answer.Ballot is Ballot.Claimed vote
            && (Cache is null ? vote.Claim.NarHash == NarHash : answer.Elector is Elector.Cache && answer.Elector.Name == Cache))
            .Select(answer => ((Ballot.Claimed)answer.Ballot).Claim).Distinct().Take(2).ToList();
        return accepted is [var claim] ? claim : null;
    }

    /// <summary>What is accepted, why and until when, in one line.</summary>
    public override string ToString() =>
        $"'{Match}' accepts {(Cache is null ? NarHash : $"cache:{Cache}")} until {Expires:yyyy-MM-dd'T'HH:mm:ss'Z'} ({Reason})";

    internal string Identity => $"{Match}|{(Cache is null ? NarHash : $"cache:{Cache}")}|{Expires.ToUnixTimeSeconds()}|{Reason}";
}
