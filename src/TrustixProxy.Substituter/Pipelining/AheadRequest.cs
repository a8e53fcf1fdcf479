using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Pipelining;

/// <summary>A request seen on a connection before the server read it.</summary>
/// <param name="length">Its number of bytes.</param>
/// <param name="digest">The digest to decide on; null when there is none.</param>
/// <param name="sender">Its client.</param>
internal sealed class AheadRequest(int length, StorePathDigest? digest, SenderHeaders sender)
{
    /// <summary>Number of bytes.</summary>
    public int Length => length;

    /// <summary>The digest to decide on; null when there is none.</summary>
    public StorePathDigest? Digest => digest;

    /// <summary>The client.</summary>
    public SenderHeaders Sender => sender;

    /// <summary>Whether the server has read it.</summary>
    public bool HasArrived { get; set; }

    /// <summary>What it takes of its client's limits while it is decided ahead; null before.</summary>
    public IDisposable? Lease { get; set; }

    /// <summary>When its decision came, as a timestamp of the clock; null before.</summary>
    public long? DecidedAt { get; set; }
}
