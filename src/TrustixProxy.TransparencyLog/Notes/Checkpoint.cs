using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>A log's state as the text of a note: exactly three lines, without extension lines.</summary>
/// <remarks>
/// <code>
/// log.alice.example/nix
/// 700
/// 9Zy6CYsNGF/vHUDpgGLejnEWtz4MfGnr7EXN8HmfCOA=
/// </code>
/// An origin without spaces keeps the text apart from all else that logs sign. Source: C2SP tlog-checkpoint v1.0.0.</remarks>
/// <param name="Origin">The log's name, also the name of its key.</param>
/// <param name="Size">Number of leaves; not negative.</param>
/// <param name="Root">Root of the tree; of the empty log SHA-256 of nothing.</param>
public sealed record Checkpoint(string Origin, long Size, Digest Root)
{
    /// <summary>What is added to a log's origin for the origin of its map-head log.</summary>
    public const string MapHeads = "/mapheads";

    /// <summary>Reads the text whole; false for any other text.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        if (NoteText.TryTakeLine(ref text, out var origin) && NoteText.IsKeyName(origin)
            && NoteText.TryTakeLine(ref text, out var number) && NoteText.TryReadNumber(number, out var size)
            && NoteText.TryTakeLine(ref text, out var hash) && NoteText.TryReadHash(hash, out var root)
            && text.IsEmpty && (size > 0 || root == MerkleHash.EmptyLog))
        {
            checkpoint = new Checkpoint(origin.ToString(), size, root);
        }

        return checkpoint is not null;
    }

    /// <summary>Reads the checkpoint that a note holds.</summary>
    public static bool TryRead(SignedNote note, [NotNullWhen(true)] out Checkpoint? checkpoint) => TryParse(note.Text, out checkpoint);

    /// <summary>Returns the text that the log and its witnesses sign.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{NoteText.Base64(Root)}\n");
}

/// <summary>Signs checkpoints with the key that also signs the log's heads.</summary>
/// <param name="origin">The log's origin, or that of its map-head log.</param>
/// <param name="signer">The log's private key.</param>
/// <exception cref="ArgumentException"><paramref name="origin"/> cannot name a key.</exception>
public sealed class CheckpointSigner(string origin, LogSigner signer)
{
    /// <summary>The key as verifiers need it.</summary>
    public VerifierKey Key { get; } = VerifierKey.OfLog(origin, signer.Key);

    /// <summary>Signs a state of the log. Signatures are deterministic: one state has one note.</summary>
    public SignedNote Sign(long size, Digest root)
    {
        var checkpoint = new Checkpoint(Key.Name, size, root);
        var text = checkpoint.ToString();
        return SignedNote.Of(text, [new NoteSignature(Key.Name, Key.KeyId, signer.SignText(Encoding.UTF8.GetBytes(text)))]);
    }
}
