using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>An Ed25519 public key with a name, as in <c>trusted-public-keys</c>.</summary>
public sealed record NixPublicKey
{
    private readonly byte[] _bytes;

    internal NixPublicKey(string name, byte[] bytes) => (Name, _bytes) = (name, bytes);

    /// <summary>The name; not empty, no colon, no white space.</summary>
    public string Name { get; }

    /// <summary>The key: 32 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Reads <c>name:base64</c> of 32 bytes, whole; a key that nobody should be believed by is none.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixPublicKey? key, out NixKeyError error)
    {
        key = KeyText.TryParse(text, Ed25519.PublicKeySize, out var name, out var bytes, out error) ? new NixPublicKey(name, bytes) : null;
        (key, error) = key is not null && Ed25519PublicKeys.IsWeak(key.Bytes) ? (null, NixKeyError.Weak) : (key, error);
        return key is not null;
    }

    /// <summary>Whether <paramref name="signature"/> names this key and is its valid signature of <paramref name="text"/> (a <see cref="Fingerprint"/>, say).</summary>
    public bool Verify(string text, NixSignature signature) =>
        signature.KeyName == Name && Verify(Encoding.UTF8.GetBytes(text), signature.Bytes);

    /// <summary>Whether <paramref name="signature"/> is this key's valid signature of <paramref name="message"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => Ed25519.Verify(_bytes, message, signature);

    /// <inheritdoc/>
    public bool Equals(NixPublicKey? other) => other is not null && Name == other.Name && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary><c>name:base64</c>.</summary>
    public override string ToString() => $"{Name}:{Convert.ToBase64String(_bytes)}";
}
