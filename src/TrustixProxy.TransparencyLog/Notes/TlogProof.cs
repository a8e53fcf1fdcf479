using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>A proof file: an entry is in a log whose state witnesses have seen. It is verified offline, with a policy.</summary>
/// <remarks>
/// <code>
/// c2sp.org/tlog-proof@v1
/// extra base64                  optional; not proven by anything
/// index 123
/// base64 hash, from 0 to 63 lines
///
/// checkpoint, a signed note
/// </code>
/// Source: C2SP tlog-proof. A file without its first line, as spicy 0.9 writes it, is refused.</remarks>
/// <param name="Extra">The extra data; null without that line. It is up to the caller to prove it, for example as the entry.</param>
/// <param name="Index">Index of the entry, from 0.</param>
/// <param name="Inclusion">The inclusion proof, from the leaf up.</param>
/// <param name="Checkpoint">The checkpoint, with signatures of the log and of witnesses.</param>
public sealed record TlogProof(ReadOnlyMemory<byte>? Extra, long Index, ImmutableArray<Digest> Inclusion, SignedNote Checkpoint)
{
    /// <summary>Maximum size of a proof file, in bytes: a note of 64 KiB, an entry of 64 KiB in base 64, and the proof.</summary>
    public const int MaxSize = 160 << 10;

    private const string FirstLine = "c2sp.org/tlog-proof@v1";

    /// <summary>Reads a proof whole: what <see cref="ToBytes"/> returns for it are the same bytes.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out TlogProof? proof)
    {
        proof = null;
        if (!NoteText.TryDecode(bytes, MaxSize, out var text))
        {
            return false;
        }

        ReadOnlySpan<char> rest = text;
        byte[]? extra = null;
        if (NoteText.TryTakeLine(ref rest, out var first) && first.SequenceEqual(FirstLine)
            && (!NoteText.TryTakeField(ref rest, "extra ", out var field) || NoteText.TryReadBase64(field, out extra))
            && NoteText.TryTakeField(ref rest, "index ", out var number) && NoteText.TryReadNumber(number, out var index)
            && NoteText.TryTakeHashes(ref rest, out var inclusion) && Encoding.UTF8.GetByteCount(rest) <= NoteText.MaxSize
            && SignedNote.TryParse(rest.ToString(), out var note, out _)
            && Notes.Checkpoint.TryRead(note, out _))
        {
            proof = new TlogProof(extra is null ? null : (ReadOnlyMemory<byte>?)extra, index, inclusion, note);
        }

        return proof is not null;
    }

    /// <summary>Checks that an entry is in a log of the policy, under a checkpoint that the policy accepts.</summary>
    /// <param name="entry">The entry; its leaf is SHA-256(00 || entry).</param>
    /// <param name="policy">The logs and the witnesses.</param>
    /// <param name="now">The time.</param>
    public CheckpointVerdict Verify(ReadOnlySpan<byte> entry, WitnessPolicy policy, DateTimeOffset now)
    {
        if (!Notes.Checkpoint.TryRead(Checkpoint, out var said))
        {
            return new CheckpointVerdict.Refused(CheckpointError.Form);
        }

        var checks = policy.Logs.Where(log => log.Key.Name == said.Origin).Select(log => Checkpoint.Check(log.Key)).ToHashSet();
        var error = checks.Count is 0 ? CheckpointError.Origin
            : !checks.Contains(SignatureCheck.Valid) || checks.Contains(SignatureCheck.Invalid) ? CheckpointError.LogSignature
            : !InclusionProof.TryVerify(Index, said.Size, MerkleHash.Leaf(entry), Inclusion.AsSpan(), said.Root, out _)
                ? CheckpointError.Inclusion
            : CheckpointError.None;
        return error is CheckpointError.None ? WitnessDemand.Judge(said, policy.Count(Checkpoint, now), now, within: null)
            : new CheckpointVerdict.Refused(error);
    }

    /// <summary>Encodes the proof.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(
        $"{FirstLine}\n" + (Extra is { } extra ? $"extra {Convert.ToBase64String(extra.Span)}\n" : "")
        + string.Create(CultureInfo.InvariantCulture, $"index {Index}\n") + NoteText.HashLines(Inclusion) + Checkpoint);
}
