using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Asks an elector once what it knows of a path.</summary>
internal delegate Task<Ballot> AskElector(StorePath path, CancellationToken cancellation);

/// <summary>Asks one elector.</summary>
internal abstract class ElectorClient
{
    /// <summary>Who is asked.</summary>
    public abstract Elector Elector { get; }

    /// <summary>Whether it is unheard until an operator unfreezes it.</summary>
    public abstract bool IsFrozen { get; }

    /// <summary>Begins to ask about a digest: what takes no name is asked for at once, while others are asked for the name.</summary>
    /// <param name="digest">The digest.</param>
    /// <param name="name">The name that the digest is known to have; null when none is known yet.</param>
    /// <param name="statements">What upstreams say, as it comes in.</param>
    /// <param name="cancellation">Ends what has begun.</param>
    /// <returns>Asks about one path that has the digest; may be called any number of times.</returns>
    public abstract AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues statements, CancellationToken cancellation);
}
