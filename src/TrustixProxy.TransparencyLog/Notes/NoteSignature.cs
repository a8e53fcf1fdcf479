using System.Buffers.Binary;
using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>One signature line of a note, not verified.</summary>
/// <remarks><code>— log.alice.example/nix X+VnC0K6gRt/…</code>
/// The base 64 holds the key's id, 4 bytes, and the signature.</remarks>
/// <param name="Name">The name of the signer.</param>
/// <param name="KeyId">The id of the key.</param>
/// <param name="Bytes">The signature without the id; at least 1 byte.</param>
public sealed record NoteSignature(string Name, uint KeyId, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Maximum number of signatures on a note.</summary>
    public const int Most = 100;

    private const string Dash = "— ";

    /// <summary>Reads signature lines, as a witness answers with them; false for no line, or too many.</summary>
    /// <param name="bytes">The lines, each with its line feed.</param>
    /// <param name="signatures">The signatures, in their order.</param>
    public static bool TryParseLines(ReadOnlySpan<byte> bytes, out ImmutableArray<NoteSignature> signatures)
    {
        signatures = [];
        return NoteText.TryDecode(bytes, NoteText.MaxSize, out var text) && TryReadAll(text, out signatures);
    }

    /// <summary>Whether the name and the id are those of a key.</summary>
    public bool IsOf(VerifierKey key) => KeyId == key.KeyId && Name == key.Name;

    /// <summary>Whether the two are the same line.</summary>
    public bool Equals(NoteSignature? other) => other is not null && ToString() == other.ToString();

    /// <inheritdoc/>
    public override int GetHashCode() => KeyId.GetHashCode();

    /// <summary>Returns the line, without its line feed.</summary>
    public override string ToString()
    {
        var bytes = new byte[4 + Bytes.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, KeyId);
        Bytes.Span.CopyTo(bytes.AsSpan(4));
        return $"{Dash}{Name} {Convert.ToBase64String(bytes)}";
    }

    internal static bool TryReadAll(ReadOnlySpan<char> text, out ImmutableArray<NoteSignature> signatures)
    {
        var found = ImmutableArray.CreateBuilder<NoteSignature>();
        signatures = [];
        while (!text.IsEmpty)
        {
            if (found.Count is Most || !NoteText.TryTakeField(ref text, Dash, out var line) || !TryParse(line, out var signature))
            {
                return false;
            }

            found.Add(signature);
        }

        signatures = found.ToImmutable();
        return signatures.Length > 0;
    }

    private static bool TryParse(ReadOnlySpan<char> line, [NotNullWhen(true)] out NoteSignature? signature)
    {
        signature = null;
        var space = line.IndexOf(' ');
        if (space > 0 && NoteText.IsKeyName(line[..space]) && NoteText.TryReadBase64(line[(space + 1)..], out var bytes)
            && bytes.Length > 4)
        {
            signature = new NoteSignature(line[..space].ToString(), BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes.AsMemory(4));
        }

        return signature is not null;
    }
}
