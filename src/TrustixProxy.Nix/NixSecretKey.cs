using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>An Ed25519 secret key with a name, as <c>nix-store --generate-binary-cache-key</c> writes it: <c>name:base64(seed || public key)</c>.</summary>
public sealed class NixSecretKey
{
    private readonly byte[] _seed;
    private readonly Ed25519SigningKey _key;

    private NixSecretKey(string name, byte[] seed)
    {
        (_seed, _key) = (seed, new Ed25519SigningKey(seed));
        PublicKey = new NixPublicKey(name, _key.PublicKey);
    }

    /// <summary>The half that others may know.</summary>
    public NixPublicKey PublicKey { get; }

    /// <summary>The private half: 32 bytes. Other secrets may be derived from it (HKDF); it is never written anywhere but into the key file.</summary>
    public ReadOnlySpan<byte> Seed => _seed;

    /// <summary>Makes a new random key.</summary>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty, too long, or has a colon, white space or control characters.</exception>
    public static NixSecretKey Generate(string name) => FromSeed(name, RandomNumberGenerator.GetBytes(Ed25519.SeedSize));

    /// <summary>The key of this name with this seed of 32 bytes.</summary>
    /// <exception cref="ArgumentException"><paramref name="name"/> is no name of a key, or the seed is not 32 bytes.</exception>
    public static NixSecretKey FromSeed(string name, ReadOnlySpan<byte> seed)
    {
        if (!KeyText.IsName(name))
        {
            throw new ArgumentException($"'{name}' is not the name of a key: it needs 1 to 255 visible ASCII characters other than ':'.", nameof(name));
        }

        return new NixSecretKey(name, seed.ToArray());
    }

    /// <summary>Reads <c>name:base64</c> of 64 bytes, whole.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixSecretKey? key, out NixKeyError error)
    {
        key = null;
        if (KeyText.TryParse(text, Ed25519.SeedSize + Ed25519.PublicKeySize, out var name, out var bytes, out error))
        {
            var candidate = new NixSecretKey(name, bytes[..Ed25519.SeedSize]);
            var matches = candidate.PublicKey.Bytes.SequenceEqual(bytes.AsSpan(Ed25519.SeedSize));
            (key, error) = matches ? (candidate, NixKeyError.None) : (null, NixKeyError.Halves);
        }

        return key is not null;
    }

    /// <summary>Signs a text, a <see cref="Fingerprint"/> say.</summary>
    public NixSignature Sign(string text) => new(PublicKey.Name, Sign(Encoding.UTF8.GetBytes(text)));

    /// <summary>Signs bytes; 64 bytes of signature.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message) => _key.Sign(message);

    /// <summary>The key file's text, <c>name:base64(seed || public key)</c>. A secret: for the key file only.</summary>
    public string Export() => $"{PublicKey.Name}:{Convert.ToBase64String([.. _seed, .. PublicKey.Bytes])}";
}
