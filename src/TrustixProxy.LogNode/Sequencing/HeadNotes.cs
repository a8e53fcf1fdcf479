using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The two checkpoints that say what a head says, each under its own origin.</summary>
/// <param name="Log">The checkpoint of the log.</param>
/// <param name="MapHeads">The checkpoint of the map-head log.</param>
internal sealed record HeadNotes(SignedNote Log, SignedNote MapHeads);

/// <summary>Signs the checkpoints of a log's heads.</summary>
internal sealed class HeadNoteSigner(string origin, LogSigner signer)
{
    private readonly CheckpointSigner _log = new(origin, signer), _mapHeads = new(origin + Checkpoint.MapHeads, signer);

    /// <summary>Signs a head's checkpoints when they are first asked for. One head always has the same two.</summary>
    public Lazy<HeadNotes> SignOnDemand(LogHead head) => new(() => new HeadNotes(
        _log.Sign(WireNumber.OfOurs(head.TreeSize), new Digest(head.LogRoot.Span)),
        _mapHeads.Sign(WireNumber.OfOurs(head.MHTreeSize), new Digest(head.MHRoot.Span))));
}
