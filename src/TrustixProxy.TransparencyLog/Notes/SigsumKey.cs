using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>A public key that signs checksums for logs of Sigsum, in a form of Sigsum's tools.</summary>
/// <remarks>
/// <code>
/// ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8WT0T5LaO8M/43MeyoS/iPwZ6DhnDXBcjrMzCp7lUI sigsum key
/// 9f164f44f92da3bc33fe3731eca84bf88fc19e838670d705c8eb3330a9ee5508
/// </code>
/// </remarks>
public sealed class SigsumKey : IEquatable<SigsumKey>
{
    private const string Type = "ssh-ed25519 ";

    private readonly Ed25519PublicKey _key;

    /// <summary>Takes an imported key.</summary>
    public SigsumKey(Ed25519PublicKey key) => (_key, Hash) = (key, Digest.Of(key.Bytes));

    /// <summary>SHA-256 of the key, which names it in proofs.</summary>
    public Digest Hash { get; }

    /// <summary>The key's 32 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _key.Bytes;

    /// <summary>What begins the key in OpenSSH's form: two lengths of 4 bytes, the first with its text.</summary>
    private static ReadOnlySpan<byte> Blob => "\0\0\0\x0bssh-ed25519\0\0\0\x20"u8;

    /// <summary>Reads a key as OpenSSH writes it, with or without a comment, or as 64 lower-case hexadecimal digits; false for a weak
    /// key.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out SigsumKey? key)
    {
        var bytes = new byte[Ed25519PublicKey.Size];
        key = (NoteText.TryReadHex(text, bytes) || TryReadSsh(text, bytes)) && Ed25519PublicKey.TryImport(bytes, out var imported, out _)
            ? new SigsumKey(imported) : null;
        return key is not null;
    }

    /// <inheritdoc/>
    public bool Equals(SigsumKey? other) => other is not null && _key.Equals(other._key);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SigsumKey);

    /// <inheritdoc/>
    public override int GetHashCode() => _key.GetHashCode();

    /// <summary>Returns 64 hexadecimal digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(_key.Bytes);

    /// <summary>Whether the key made a signature over a message.</summary>
    internal bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => _key.Verify(message, signature);

    private static bool TryReadSsh(ReadOnlySpan<char> text, Span<byte> key)
    {
        if (!text.StartsWith(Type, StringComparison.Ordinal))
        {
            return false;
        }

        text = text[Type.Length..];
        var end = text.IndexOf(' ');
        var isKey = NoteText.TryReadBase64(end < 0 ? text : text[..end], out var bytes)
            && bytes.Length == Blob.Length + key.Length && bytes.AsSpan().StartsWith(Blob);
        if (isKey)
        {
            bytes.AsSpan(Blob.Length).CopyTo(key);
        }

        return isKey;
    }
}
