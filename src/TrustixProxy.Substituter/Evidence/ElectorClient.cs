using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Asks one elector.</summary>
internal abstract class ElectorClient
{
    /// <summary>Who is asked.</summary>
    public abstract Elector Elector { get; }

    /// <summary>Whether it is unheard until an operator unfreezes it.</summary>
    public abstract bool IsFrozen { get; }

    /// <summary>Asks once what it knows of a path.</summary>
    public abstract Task<Ballot> AskAsync(StorePath path, CancellationToken cancellation);
}
