using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>A named Ed25519 secret key, as <c>nix-store --generate-binary-cache-key</c> writes it: <c>name:base64(seed || public
/// key)</c>.</summary>
public sealed class NixSecretKey
{
    private NixSecretKey(string name, Ed25519SigningKey key) => (Key, PublicKey) = (key, new NixPublicKey(name, key.PublicKey));

    /// <summary>The public key.</summary>
    public NixPublicKey PublicKey { get; }

    /// <summary>The key without its name.</summary>
    public Ed25519SigningKey Key { get; }

    /// <summary>Generates a random key.</summary>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty, too long, or has a colon, white space or control
    /// characters.</exception>
    public static NixSecretKey Generate(string name) => new(CheckedName(name), Ed25519SigningKey.Generate());

    /// <summary>Creates the key with this name and this seed of 32 bytes.</summary>
    /// <exception cref="ArgumentException"><paramref name="name"/> is no name of a key, or the seed is not 32 bytes.</exception>
    public static NixSecretKey FromSeed(string name, ReadOnlySpan<byte> seed) => new(CheckedName(name), new Ed25519SigningKey(seed));

    /// <summary>Parses exactly <c>name:base64</c> of 64 bytes.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixSecretKey? key, out NixKeyError error)
    {
        key = null;
        if (KeyText.TryParse(text, Ed25519SigningKey.SeedSize + Ed25519PublicKey.Size, out var name, out var bytes, out error))
        {
            var candidate = new NixSecretKey(name, new Ed25519SigningKey(bytes.AsSpan(0, Ed25519SigningKey.SeedSize)));
            var matches = candidate.PublicKey.Bytes.SequenceEqual(bytes.AsSpan(Ed25519SigningKey.SeedSize));
            (key, error) = matches ? (candidate, NixKeyError.None) : (null, NixKeyError.Halves);
            CryptographicOperations.ZeroMemory(bytes);
        }

        return key is not null;
    }

    /// <summary>Signs a text, for example a <see cref="Fingerprint"/>.</summary>
    public NixSignature Sign(string text) => new(PublicKey.Name, Sign(Encoding.UTF8.GetBytes(text)));

    /// <summary>Derives another secret from this one: see <see cref="Ed25519SigningKey.Derive"/>.</summary>
    public byte[] Derive(ReadOnlySpan<byte> purpose, int size) => Key.Derive(purpose, size);

    /// <summary>Signs bytes; returns a signature of 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message) => Key.Sign(message);

    /// <summary>Returns the key file's text, <c>name:base64(seed || public key)</c>. A secret: for the key file only.</summary>
    public string Export()
    {
        Span<byte> halves = stackalloc byte[Ed25519SigningKey.SeedSize + Ed25519PublicKey.Size];
        Key.ExportSeed(halves);
        PublicKey.Bytes.CopyTo(halves[Ed25519SigningKey.SeedSize..]);
        var text = $"{PublicKey.Name}:{Convert.ToBase64String(halves)}";
        CryptographicOperations.ZeroMemory(halves);
        return text;
    }

    private static string CheckedName(string name) => KeyText.IsName(name) ? name
        : throw new ArgumentException(
            $"'{name}' is not the name of a key: it needs 1 to 255 visible ASCII characters other than ':'.", nameof(name));
}
