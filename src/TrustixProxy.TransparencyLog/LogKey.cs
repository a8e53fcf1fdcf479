using System.Security.Cryptography;
using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog;

/// <summary>A log's public key: the only thing a client must know of a log in advance.</summary>
public sealed record LogKey
{
    /// <summary>The protocol id under which logs hold the outputs of Nix builds.</summary>
    public const string NixProtocol = "5138a791-8d00-4182-96bc-f1f2688cdde2";

    private readonly Ed25519PublicKey _key;

    /// <summary>Creates a log's key from an imported key.</summary>
    public LogKey(Ed25519PublicKey key) => (_key, LogId) = (key, MakeLogId(NixProtocol, key.Bytes));

    /// <summary>The key's 32 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _key.Bytes;

    /// <summary>The key, to verify other texts that the log signs.</summary>
    internal Ed25519PublicKey PublicKey => _key;

    /// <summary>The log's id in calls: 64 hexadecimal digits derived from the protocol and the key.</summary>
    public string LogId { get; }

    /// <summary>Parses exactly 32 bytes in base 64; refuses a weak key.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out LogKey? key, out Ed25519KeyError error)
    {
        (key, error) = (null, Ed25519KeyError.Size);
        var bytes = new byte[Ed25519PublicKey.Size + 1];
        if (Convert.TryFromBase64String(text, bytes, out var written) && Convert.ToBase64String(bytes.AsSpan(0, written)) == text
            && Ed25519PublicKey.TryImport(bytes.AsSpan(0, written), out var imported, out error))
        {
            key = new LogKey(imported);
        }

        return key is not null;
    }

    /// <summary>Computes SHA-256("protocol:" uuid ";mode:0;keyType:ed25519;pubKey:" key ";") in hexadecimal.</summary>
    public static string MakeLogId(string protocol, ReadOnlySpan<byte> publicKey) =>
        Convert.ToHexStringLower(SHA256.HashData(
            [.. System.Text.Encoding.ASCII.GetBytes($"protocol:{protocol};mode:0;keyType:ed25519;pubKey:"), .. publicKey, (byte)';']));

    /// <summary>Verifies a head's signature: the only way for a log's answers to become trusted.</summary>
    public bool TryVerify(SignedTreeHead head, [NotNullWhen(true)] out VerifiedTreeHead? verified, out TreeHeadError error)
    {
        error = _key.Verify(head.Content.SigningDigest(), head.Signature) ? TreeHeadError.None : TreeHeadError.Signature;
        verified = error is TreeHeadError.None ? new VerifiedTreeHead(this, head.Content, head.Signature) : null;
        return verified is not null;
    }

    /// <summary>Whether the log signed this record.</summary>
    public bool Verify(ConflictRecord conflict, ReadOnlySpan<byte> signature) => _key.Verify(conflict.SigningText(LogId), signature);

    /// <inheritdoc/>
    public bool Equals(LogKey? other) => other is not null && _key.Equals(other._key);

    /// <inheritdoc/>
    public override int GetHashCode() => _key.GetHashCode();

    /// <summary>Returns the key in base 64, as in configurations.</summary>
    public override string ToString() => _key.ToString();
}

/// <summary>A log's private key, which signs its heads.</summary>
public sealed class LogSigner
{
    private readonly Ed25519SigningKey _key;

    /// <summary>Creates a signer from an imported key.</summary>
    public LogSigner(Ed25519SigningKey key) => (_key, Key) = (key, new LogKey(key.PublicKey));

    /// <summary>Imports a seed of 32 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is not 32 bytes.</exception>
    public LogSigner(ReadOnlySpan<byte> seed)
        : this(new Ed25519SigningKey(seed))
    {
    }

    /// <summary>The public key.</summary>
    public LogKey Key { get; }

    /// <summary>Signs a head. A log never signs two different heads of one size.</summary>
    public VerifiedTreeHead Sign(TreeHead head) => new(Key, head, _key.Sign(head.SigningDigest()));

    /// <summary>Signs a conflict record; returns 64 bytes.</summary>
    public byte[] Sign(ConflictRecord conflict) => _key.Sign(conflict.SigningText(Key.LogId));

    /// <summary>Signs a checkpoint's text, which is longer than 32 bytes and has no space in its first line.</summary>
    internal byte[] SignText(ReadOnlySpan<byte> checkpoint) => _key.Sign(checkpoint);
}
