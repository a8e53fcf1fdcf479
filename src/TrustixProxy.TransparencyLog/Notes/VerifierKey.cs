using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>What a key signs, and how: the byte that begins its encoded form.</summary>
public enum NoteAlgorithm
{
    /// <summary>Ed25519 over a note's text: what logs sign with.</summary>
    Ed25519 = 1,

    /// <summary>Ed25519 over a time and a checkpoint's text: what witnesses sign with.</summary>
    Cosignature = 4,

    /// <summary>ML-DSA-44 over a time and a checkpoint: read, and never verified.</summary>
    MlDsaCosignature = 6,
}

/// <summary>Why a text is not a verifier key.</summary>
public enum VerifierKeyError
{
    /// <summary>The key is valid.</summary>
    None,

    /// <summary>Not <c>name+id+base64</c>, with 8 lower-case hexadecimal digits and canonical base 64, or too long.</summary>
    Form,

    /// <summary>The name is empty, or contains a space.</summary>
    Name,

    /// <summary>The algorithm is none of <see cref="NoteAlgorithm"/>.</summary>
    Algorithm,

    /// <summary>The key has the wrong length for its algorithm.</summary>
    KeySize,

    /// <summary>Anyone can sign for this key, or it is a second encoding of another.</summary>
    WeakKey,

    /// <summary>The id is not the one that follows from name, algorithm and key.</summary>
    KeyId,
}

/// <summary>A public key with the name under which it signs notes.</summary>
/// <remarks>
/// <code>log.alice.example/nix+5fe5670b+ASBgy/82gaQ0p0l9hqFd2sN5D+D+jWAGoogHysX/EVm/</code>
/// The id is the start of SHA-256(name || 0a || algorithm || key). Source: C2SP signed-note, "verifier keys".</remarks>
public sealed record VerifierKey
{
    private const int MaxLength = 4 << 10, MlDsaSize = 1312;

    private readonly Ed25519PublicKey? _key;
    private readonly byte[] _bytes;

    private VerifierKey(string name, NoteAlgorithm algorithm, byte[] bytes, Ed25519PublicKey? key)
    {
        (Name, Algorithm, _bytes, _key) = (name, algorithm, bytes, key);
        KeyId = BinaryPrimitives.ReadUInt32BigEndian(
            SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', (byte)algorithm, .. bytes]));
    }

    /// <summary>The name of the signer: for a log, its origin.</summary>
    public string Name { get; }

    /// <summary>What the key signs.</summary>
    public NoteAlgorithm Algorithm { get; }

    /// <summary>The id that stands in front of its signatures.</summary>
    public uint KeyId { get; }

    /// <summary>The key's bytes, without the algorithm.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Whether this program verifies its signatures: false for ML-DSA.</summary>
    public bool IsVerifiable => _key is not null;

    /// <summary>Names a log's key by the log's origin.</summary>
    /// <exception cref="ArgumentException"><paramref name="origin"/> cannot name a key.</exception>
    public static VerifierKey OfLog(string origin, LogKey key) => Of(origin, NoteAlgorithm.Ed25519, key.PublicKey);

    /// <summary>Names a witness's key.</summary>
    /// <exception cref="ArgumentException"><paramref name="name"/> cannot name a key.</exception>
    public static VerifierKey OfWitness(string name, Ed25519PublicKey key) => Of(name, NoteAlgorithm.Cosignature, key);

    /// <summary>Whether a text can be a key's name, and so a log's origin: not empty, without spaces and plus signs.</summary>
    public static bool IsName(string name) => NoteText.IsKeyName(name);

    /// <summary>Reads a key whole; nothing is trimmed or repaired.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out VerifierKey? key, out VerifierKeyError error)
    {
        key = null;
        var parts = text.Length <= MaxLength ? text.Split('+', 3) : [];
        Span<byte> id = stackalloc byte[4];
        if (parts.Length is not 3 || !NoteText.TryReadHex(parts[1], id) || !NoteText.TryReadBase64(parts[2], out var bytes))
        {
            error = VerifierKeyError.Form;
            return false;
        }

        var algorithm = (NoteAlgorithm)bytes[0];
        Ed25519PublicKey? imported = null;
        error = !NoteText.IsKeyName(parts[0]) ? VerifierKeyError.Name
            : !Enum.IsDefined(algorithm) ? VerifierKeyError.Algorithm
            : CheckKey(algorithm, bytes.AsSpan(1), out imported);
        if (error is VerifierKeyError.None)
        {
            var candidate = new VerifierKey(parts[0], algorithm, bytes[1..], imported);
            var isOfId = candidate.KeyId == BinaryPrimitives.ReadUInt32BigEndian(id);
            (key, error) = isOfId ? (candidate, error) : (null, VerifierKeyError.KeyId);
        }

        return key is not null;
    }

    /// <summary>Whether the key made a signature over a message; false where it cannot be verified.</summary>
    internal bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => _key is not null && _key.Verify(message, signature);

    /// <inheritdoc/>
    public bool Equals(VerifierKey? other) =>
        other is not null && Name == other.Name && Algorithm == other.Algorithm && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode() => KeyId.GetHashCode();

    /// <summary>Returns the canonical text.</summary>
    public override string ToString() => $"{Name}+{KeyId:x8}+{Convert.ToBase64String([(byte)Algorithm, .. _bytes])}";

    private static VerifierKey Of(string name, NoteAlgorithm algorithm, Ed25519PublicKey key) =>
        NoteText.IsKeyName(name) ? new VerifierKey(name, algorithm, key.Bytes.ToArray(), key)
            : throw new ArgumentException($"'{name}' cannot name a key: it is empty, or has a space or a plus sign", nameof(name));

    private static VerifierKeyError CheckKey(NoteAlgorithm algorithm, ReadOnlySpan<byte> bytes, out Ed25519PublicKey? key)
    {
        key = null;
        if (algorithm is NoteAlgorithm.MlDsaCosignature)
        {
            return bytes.Length is MlDsaSize ? VerifierKeyError.None : VerifierKeyError.KeySize;
        }

        return Ed25519PublicKey.TryImport(bytes, out key, out var error) ? VerifierKeyError.None
            : error is Ed25519KeyError.Size ? VerifierKeyError.KeySize : VerifierKeyError.WeakKey;
    }
}
