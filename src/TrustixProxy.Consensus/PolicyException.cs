using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>An operator's exception: serves some paths although the rule is not met, always with a reason and an expiry.</summary>
/// <param name="Match">Glob of the paths' names.</param>
/// <param name="Cache">The signed cache, or the rebuilder, whose claim is accepted; null when none is named.</param>
/// <param name="NarHash">The NAR hash of the accepted claim, if an elector proves one; for a package the SHA-256 of its file. Null when
/// none is named.</param>
/// <param name="Reason">The operator's reason.</param>
/// <param name="Expires">The time at which it expires.</param>
public sealed record PolicyException(string Match, string? Cache, NixHash? NarHash, string Reason, DateTimeOffset Expires)
{
    /// <summary>What it takes the word of: a <c>cache</c>; for packages a <c>rebuilder</c>, a <c>file</c> or the <c>archive</c>.</summary>
    public string Kind { get; private init; } = "cache";

    /// <summary>Creates an exception for packages that takes the file which the archive itself names, as without this proxy.</summary>
    public static PolicyException OfArchive(string match, string reason, DateTimeOffset expires) =>
        new(match, null, null, reason, expires) { Kind = "archive" };

    /// <summary>Creates an exception for packages that takes one file.</summary>
    public static PolicyException OfFile(string match, Digest sha256, string reason, DateTimeOffset expires) =>
        new(match, null, NixHash.Sha256(sha256.ToArray()), reason, expires) { Kind = "file" };

    /// <summary>Creates an exception for packages that takes what one rebuilder vouches for.</summary>
    public static PolicyException OfRebuilder(string match, string rebuilder, string reason, DateTimeOffset expires) =>
        new(match, rebuilder, null, reason, expires) { Kind = "rebuilder" };

    /// <summary>Whether it accepts this package file without any vote.</summary>
    public bool AcceptsFile(Digest sha256) =>
        Kind is "archive" || (Kind is "file" && NarHash!.Equals(NixHash.Sha256(sha256.ToArray())));

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
        $"'{Match}' accepts {Accepted} until {Expires:yyyy-MM-dd'T'HH:mm:ss'Z'} ({Reason})";

    internal string Identity => $"{Match}|{Accepted}|{Expires.ToUnixTimeSeconds()}|{Reason}";

    private string? Accepted => (Kind, Cache) switch
    {
        (_, not null) => $"{Kind}:{Cache}",
        ("file", _) => NarHash!.ToBase16(),
        ("archive", _) => Kind,
        _ => NarHash?.ToString(),
    };
}
