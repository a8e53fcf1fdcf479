using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Consensus;

/// <summary>Judges proof files: C2SP's tlog-proof, whose extra data is the entry, which is the fingerprint of a path.</summary>
/// <remarks>A file can only agree. It never proves that its log has no other entry for the path.</remarks>
public static class ProofFile
{
    /// <summary>Judges what a file proves, offline: a claim, or nothing for a reason.</summary>
    /// <param name="file">The file.</param>
    /// <param name="elector">The elector whose server sent it.</param>
    /// <param name="path">The path asked for.</param>
    /// <param name="now">The time, which no cosignature may be far ahead of.</param>
    public static Ballot Judge(ReadOnlyMemory<byte> file, Elector.ProofFiles elector, StorePath path, DateTimeOffset now) =>
        !TlogProof.TryParse(file.Span, out var proof) || proof.Extra is not { } entry ? Silent(SilenceReason.BadProof)
        : proof.Verify(entry.Span, elector.Witnesses, now) switch
        {
            CheckpointVerdict.Witnessed witnessed =>
                OutputClaim.TryReadFingerprint(entry.Span, path, out var claim, out var error)
                    ? new Ballot.Claimed(claim, new VoteProof.ByProofFile(witnessed.Checkpoint.Origin, proof.Index, file))
                    : Silent(error is OutputClaimError.OtherPath ? SilenceReason.ClaimOfOtherPath : SilenceReason.ClaimMalformed),
            CheckpointVerdict.Unwitnessed => Silent(SilenceReason.Unwitnessed),
            _ => Silent(SilenceReason.BadProof),
        };

    /// <summary>A file that proves nothing is the server's definite answer.</summary>
    private static Ballot.Silent Silent(SilenceReason reason) => new(reason) { IsAnswer = true };
}
