using System.Diagnostics;
using System.Security.Cryptography;
using NSec.Cryptography;

namespace TrustixProxy.Native;

/// <summary>An Ed25519 private key (RFC 8032), imported once and ready to sign. Thread-safe.</summary>
/// <remarks>libsodium keeps the key in locked memory between guard pages, and erases it once this object is unreachable.</remarks>
public sealed class Ed25519SigningKey
{
    /// <summary>Length of the seed, in bytes: the first half of Nix's and Go's 64-byte private keys.</summary>
    public const int SeedSize = 32;

    private readonly Key _key;

    /// <summary>Imports a seed of 32 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="seed"/> is not 32 bytes.</exception>
    public Ed25519SigningKey(ReadOnlySpan<byte> seed)
        : this(Import(seed))
    {
    }

    private Ed25519SigningKey(Key key)
    {
        _key = key;
        PublicKey = Ed25519PublicKey.TryImport(key.PublicKey.Export(KeyBlobFormat.RawPublicKey), out var half, out _) ? half
            : throw new UnreachableException("no seed has a weak public key");
    }

    /// <summary>The public key.</summary>
    public Ed25519PublicKey PublicKey { get; }

    /// <summary>Generates a random key.</summary>
    public static Ed25519SigningKey Generate() => new(Key.Create(SignatureAlgorithm.Ed25519, Exportable));

    /// <summary>Signs a message; returns 64 bytes. Signatures are deterministic.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message) => SignatureAlgorithm.Ed25519.Sign(_key, message);

    /// <summary>Derives a secret of <paramref name="size"/> bytes from the seed: HKDF-SHA256 without salt.</summary>
    public byte[] Derive(ReadOnlySpan<byte> purpose, int size)
    {
        var secret = new byte[size];
        Span<byte> seed = stackalloc byte[SeedSize];
        ExportSeed(seed);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, seed, secret, salt: [], purpose);
        CryptographicOperations.ZeroMemory(seed);
        return secret;
    }

    /// <summary>Writes the seed to <paramref name="seed"/>, which the caller must erase.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="seed"/> is shorter than 32 bytes.</exception>
    public void ExportSeed(Span<byte> seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seed.Length, SeedSize);
        if (!_key.TryExport(KeyBlobFormat.RawPrivateKey, seed, out _))
        {
            throw new UnreachableException();
        }
    }

    private static KeyCreationParameters Exportable => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    private static Key Import(ReadOnlySpan<byte> seed)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, SeedSize);
        return Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey, Exportable);
    }
}
