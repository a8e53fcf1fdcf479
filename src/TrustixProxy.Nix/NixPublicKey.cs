using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>A named Ed25519 public key, as in <c>trusted-public-keys</c>.</summary>
public sealed record NixPublicKey : CacheKey
{
    private readonly Ed25519PublicKey _key;

    internal NixPublicKey(string name, Ed25519PublicKey key) => (Name, _key) = (name, key);

    /// <summary>The name; not empty, no colon, no white space.</summary>
    public string Name { get; }

    /// <summary>The key: 32 bytes.</summary>
    public override ReadOnlySpan<byte> Bytes => _key.Bytes;

    /// <summary>Parses exactly <c>name:base64</c> of 32 bytes; refuses a weak key.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixPublicKey? key, out NixKeyError error)
    {
        key = null;
        if (KeyText.TryParse(text, Ed25519PublicKey.Size, out var name, out var bytes, out error))
        {
            key = Ed25519PublicKey.TryImport(bytes, out var imported, out _) ? new NixPublicKey(name, imported) : null;
            error = key is null ? NixKeyError.Weak : NixKeyError.None;
        }

        return key is not null;
    }

    /// <summary>Whether <paramref name="signature"/> names this key and is its valid signature of <paramref name="text"/>, for example a
    /// <see cref="Fingerprint"/>.</summary>
    public bool Verify(string text, NixSignature signature) =>
        signature.KeyName == Name && Verify(Encoding.UTF8.GetBytes(text), signature.Bytes);

    /// <summary>Whether <paramref name="signature"/> is this key's valid signature of <paramref name="message"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => _key.Verify(message, signature);

    /// <inheritdoc/>
    public override CacheSignature? FindSignature(NarInfo narInfo)
    {
        var text = narInfo.Fingerprint;
        return narInfo.Signatures.FirstOrDefault(signature => Verify(text, signature));
    }

    /// <inheritdoc/>
    public bool Equals(NixPublicKey? other) => other is not null && Name == other.Name && _key.Equals(other._key);

    /// <inheritdoc/>
    public override int GetHashCode() => _key.GetHashCode();

    /// <summary>Returns <c>name:base64</c>.</summary>
    public override string ToString() => $"{Name}:{_key}";
}
