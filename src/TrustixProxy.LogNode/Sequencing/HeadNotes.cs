using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The two checkpoints that say what a head says, each under its own origin.</summary>
/// <param name="Log">The checkpoint of the log.</param>
/// <param name="MapHeads">The checkpoint of the map-head log.</param>
internal sealed record HeadNotes(SignedNote Log, SignedNote MapHeads)
{
    /// <summary>Adds cosignatures; a later one of the same key replaces an earlier one.</summary>
    public HeadNotes With(IEnumerable<NoteSignature> log, IEnumerable<NoteSignature> mapHeads) =>
        new(Join(Log, [.. log]), Join(MapHeads, [.. mapHeads]));

    private static SignedNote Join(SignedNote note, List<NoteSignature> more) => SignedNote.Of(note.Text,
        [.. note.Signatures.Where(old => !more.Exists(its => its.KeyId == old.KeyId && its.Name == old.Name)), .. more]);
}

/// <summary>Signs the checkpoints of a log's heads.</summary>
internal sealed class HeadNoteSigner(string origin, LogSigner signer)
{
    private readonly CheckpointSigner _log = new(origin, signer), _mapHeads = new(origin + Checkpoint.MapHeads, signer);

    /// <summary>Signs a head's checkpoints when they are first asked for. One head always has the same two.</summary>
    /// <param name="head">The head.</param>
    /// <param name="cosigned">The same head with stored cosignatures, which are added; null without any.</param>
    public Lazy<HeadNotes> SignOnDemand(LogHead head, CosignedHead? cosigned = null) => new(() => new HeadNotes(
        Cosigned(_log.Sign(WireNumber.OfOurs(head.TreeSize), new Digest(head.LogRoot.Span)), cosigned?.Log),
        Cosigned(_mapHeads.Sign(WireNumber.OfOurs(head.MHTreeSize), new Digest(head.MHRoot.Span)), cosigned?.MapHeads)));

    /// <summary>Returns the stored note, unless it is of another text: of another origin, for example.</summary>
    private static SignedNote Cosigned(SignedNote note, byte[]? stored) =>
        SignedNote.TryParse(stored, out var cosigned, out _) && cosigned.Text == note.Text ? cosigned : note;
}
