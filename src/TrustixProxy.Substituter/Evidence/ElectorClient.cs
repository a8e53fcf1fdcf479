using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries an elector once about a path.</summary>
internal delegate Task<Ballot> AskElector(StorePath path, CancellationToken cancellation);

/// <summary>Queries one elector.</summary>
internal abstract class ElectorClient
{
    /// <summary>The elector it queries.</summary>
    public abstract Elector Elector { get; }

    /// <summary>Whether its votes are ignored until an operator unfreezes it.</summary>
    public abstract bool IsFrozen { get; }

    /// <summary>Starts a query about a digest: calls that need no name start immediately, while others wait for the name.</summary>
    /// <param name="name">Known name of the digest; null if unknown so far.</param>
    /// <param name="values">Answers of upstreams as they arrive.</param>
    /// <returns>A query for one path with the digest; may be called repeatedly.</returns>
    public abstract AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation);
}
