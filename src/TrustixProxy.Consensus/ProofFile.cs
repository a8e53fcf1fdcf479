using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Consensus;

/// <summary>Judges proof files, of C2SP or of Sigsum.</summary>
/// <remarks>
/// C2SP's tlog-proof shows the entry in its extra data. The entry is the fingerprint of a path, and the extra data is the same; or it is
/// that of one of our logs, key, colon and SHA-256(value), and the extra data is the value.
/// Sigsum's proof does not hold what was signed, which is the fingerprint: that stands on a line before the proof.
/// A file can only agree. It never proves that its log has no other entry for the path.</remarks>
public static class ProofFile
{
    private static ReadOnlySpan<byte> FirstOfSigsum => "version="u8;

    /// <summary>Judges what a file proves, offline: a claim, or nothing for a reason.</summary>
    /// <param name="file">The file.</param>
    /// <param name="elector">The elector whose server sent it.</param>
    /// <param name="path">The path asked for.</param>
    /// <param name="now">The time, which no cosignature may be far ahead of.</param>
    public static Ballot Judge(ReadOnlyMemory<byte> file, Elector.ProofFiles elector, StorePath path, DateTimeOffset now)
    {
        var (verdict, index, shown) = elector.Submitters.IsEmpty ? Verify(file, elector, path, now) : VerifySigsum(file, elector, now);
        return verdict switch
        {
            CheckpointVerdict.Witnessed witnessed => Read(shown, path, out var claim, out var error)
                ? new Ballot.Claimed(claim, new VoteProof.ByProofFile(witnessed.Checkpoint.Origin, index, file))
                : Silent(error is OutputClaimError.OtherPath ? SilenceReason.ClaimOfOtherPath : SilenceReason.ClaimMalformed),
            CheckpointVerdict.Unwitnessed => Silent(SilenceReason.Unwitnessed),
            _ => Silent(SilenceReason.BadProof),
        };
    }

    /// <summary>Whether a file proves something only together with the text that was signed.</summary>
    public static bool IsWithoutText(ReadOnlySpan<byte> file, Elector.ProofFiles elector) =>
        !elector.Submitters.IsEmpty && file.StartsWith(FirstOfSigsum);

    /// <summary>Returns a file with the text that was signed.</summary>
    public static ReadOnlyMemory<byte> With(string text, ReadOnlyMemory<byte> file) =>
        (byte[])[.. Encoding.UTF8.GetBytes(text), (byte)'\n', .. file.Span];

    private static (CheckpointVerdict? Verdict, long Index, ReadOnlyMemory<byte> Shown) Verify(
        ReadOnlyMemory<byte> file, Elector.ProofFiles elector, StorePath path, DateTimeOffset now)
    {
        if (!TlogProof.TryParse(file.Span, out var proof) || proof.Extra is not { } shown)
        {
            return default;
        }

        var entry = IsValue(shown) ? EntryBundle.EntryOf(Encoding.ASCII.GetBytes(path.Absolute), Digest.Of(shown.Span)) : shown.Span;
        return (proof.Verify(entry, elector.Witnesses, now), proof.Index, shown);
    }

    private static (CheckpointVerdict? Verdict, long Index, ReadOnlyMemory<byte> Shown) VerifySigsum(
        ReadOnlyMemory<byte> file, Elector.ProofFiles elector, DateTimeOffset now)
    {
        var end = file.Span.IndexOf((byte)'\n');
        return end < 0 || !SigsumProof.TryParse(file.Span[(end + 1)..], out var proof) ? default
            : (proof.Verify(file.Span[..end], elector.Submitters, elector.Witnesses, now), proof.Index, file[..end]);
    }

    /// <summary>Whether the extra data is a value of our logs, which is a JSON object; no fingerprint begins like one.</summary>
    private static bool IsValue(ReadOnlyMemory<byte> shown) => shown.Span is [(byte)'{', ..];

    private static bool Read(
        ReadOnlyMemory<byte> shown, StorePath path, [NotNullWhen(true)] out OutputClaim? claim, out OutputClaimError error) =>
        IsValue(shown) ? OutputClaim.TryReadValue(shown, path, out claim, out error)
            : OutputClaim.TryReadFingerprint(shown.Span, path, out claim, out error);

    /// <summary>A file that proves nothing is the server's definite answer.</summary>
    private static Ballot.Silent Silent(SilenceReason reason) => new(reason) { IsAnswer = true };
}
