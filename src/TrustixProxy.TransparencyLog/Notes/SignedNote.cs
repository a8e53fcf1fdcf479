using System.Collections.Immutable;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Why bytes are not a signed note.</summary>
public enum SignedNoteError
{
    /// <summary>The note is well-formed.</summary>
    None,

    /// <summary>More than 64 KiB.</summary>
    Size,

    /// <summary>Not UTF-8, or with a control character other than a line feed.</summary>
    Encoding,

    /// <summary>No empty line between a text and its signatures.</summary>
    Form,

    /// <summary>No signature, more than 100, or a line that is no signature.</summary>
    Signatures,
}

/// <summary>What a note says of one key.</summary>
public enum SignatureCheck
{
    /// <summary>The note has no signature under the key's name and id.</summary>
    Missing,

    /// <summary>A signature under the key's name and id is not by this key: refuse the whole note.</summary>
    Invalid,

    /// <summary>The key signed the note.</summary>
    Valid,
}

/// <summary>A text with signatures that were not verified. A checkpoint is such a note.</summary>
/// <remarks>
/// <code>
/// text, which ends in a line feed
///
/// — NAME base64
/// </code>
/// Source: C2SP signed-note v1.0.0.</remarks>
public sealed class SignedNote
{
    /// <summary>Maximum size of a note, in bytes.</summary>
    public const int MaxSize = NoteText.MaxSize;

    private const string Separator = "\n\n";

    private SignedNote(string text, ImmutableArray<NoteSignature> signatures) => (Text, Signatures) = (text, signatures);

    /// <summary>The text, with the line feed at its end.</summary>
    public string Text { get; }

    /// <summary>The signatures, in their order; one key may have several.</summary>
    public ImmutableArray<NoteSignature> Signatures { get; }

    /// <summary>Reads a note whole: what <see cref="ToBytes"/> returns for it are the same bytes.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out SignedNote? note, out SignedNoteError error)
    {
        (note, error) = (null, bytes.Length > NoteText.MaxSize ? SignedNoteError.Size : SignedNoteError.Encoding);
        return NoteText.TryDecode(bytes, NoteText.MaxSize, out var text) && TryParse(text, out note, out error);
    }

    /// <summary>Makes a note of a text and its signatures.</summary>
    /// <exception cref="ArgumentException">The text does not end in a line feed.</exception>
    public static SignedNote Of(string text, params ImmutableArray<NoteSignature> signatures) => text.EndsWith('\n')
        ? new SignedNote(text, signatures) : throw new ArgumentException("a note's text ends in a line feed", nameof(text));

    /// <summary>Returns the note with more signatures at its end.</summary>
    public SignedNote With(params IEnumerable<NoteSignature> signatures) => new(Text, [.. Signatures, .. signatures]);

    /// <summary>Checks a log's signature over the text. Cosignatures are checked by <see cref="Cosignature.Check"/>.</summary>
    public SignatureCheck Check(VerifierKey key)
    {
        var text = Encoding.UTF8.GetBytes(Text);
        var own = Signatures.Where(signature => signature.IsOf(key)).ToList();
        return own.Count is 0 ? SignatureCheck.Missing
            : key.Algorithm is NoteAlgorithm.Ed25519 && own.All(signature => key.Verify(text, signature.Bytes.Span)) ? SignatureCheck.Valid
            : SignatureCheck.Invalid;
    }

    /// <summary>Encodes the note.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(ToString());

    /// <summary>Returns the note as a text.</summary>
    public override string ToString() => $"{Text}\n{string.Concat(Signatures.Select(signature => $"{signature}\n"))}";

    internal static bool TryParse(string text, [NotNullWhen(true)] out SignedNote? note, out SignedNoteError error)
    {
        note = null;
        var end = text.LastIndexOf(Separator, StringComparison.Ordinal);
        error = end < 0 ? SignedNoteError.Form : SignedNoteError.None;
        if (end >= 0)
        {
            var isSigned = NoteSignature.TryReadAll(text.AsSpan(end + Separator.Length), out var signatures);
            error = isSigned ? SignedNoteError.None : SignedNoteError.Signatures;
            note = isSigned ? new SignedNote(text[..(end + 1)], signatures) : null;
        }

        return note is not null;
    }
}
