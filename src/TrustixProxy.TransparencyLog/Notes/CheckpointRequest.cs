using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>What a log sends to a witness: a checkpoint, and the proof that it extends the one that the witness knows.</summary>
/// <remarks>
/// <code>
/// old 300
/// base64 hash, from 0 to 63 lines
///
/// checkpoint, a signed note
/// </code>
/// The body of <c>POST …/add-checkpoint</c>; a 200 answers with signature lines (<see cref="NoteSignature.TryParseLines"/>), a 409
/// with the size that the witness knows. Source: C2SP tlog-witness v1.0.0.</remarks>
/// <param name="OldSize">The size that the witness is thought to know; 0 for none.</param>
/// <param name="Proof">The consistency proof from there; empty from 0.</param>
/// <param name="Checkpoint">The checkpoint, with the log's signature.</param>
public sealed record CheckpointRequest(long OldSize, ImmutableArray<Digest> Proof, SignedNote Checkpoint)
{
    /// <summary>Media type of a 409's body when it is the witness's size.</summary>
    public const string SizeMediaType = "text/x.tlog.size";

    private const int MaxSize = NoteText.MaxSize + (4 << 10);

    /// <summary>Reads a request whole. Whether sizes, proof and signature fit is not checked.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out CheckpointRequest? request)
    {
        request = null;
        if (!NoteText.TryDecode(bytes, MaxSize, out var text))
        {
            return false;
        }

        ReadOnlySpan<char> rest = text;
        if (NoteText.TryTakeField(ref rest, "old ", out var number) && NoteText.TryReadNumber(number, out var oldSize)
            && NoteText.TryTakeHashes(ref rest, out var proof) && SignedNote.TryParse(rest.ToString(), out var note, out _)
            && Notes.Checkpoint.TryRead(note, out _))
        {
            request = new CheckpointRequest(oldSize, proof, note);
        }

        return request is not null;
    }

    /// <summary>Reads the size in a 409's body: a decimal number and a line feed.</summary>
    public static bool TryReadSize(ReadOnlySpan<byte> bytes, out long size)
    {
        size = 0;
        return NoteText.TryDecode(bytes, 20, out var text) && text.EndsWith('\n') && NoteText.TryReadNumber(text.AsSpan()[..^1], out size);
    }

    /// <summary>Encodes the request.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"old {OldSize}\n") + NoteText.HashLines(Proof) + Checkpoint);
}
