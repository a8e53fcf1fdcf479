using System.Text;
using TrustixProxy.Native;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt;

/// <summary>Why a text is not a rebuilder's key.</summary>
public enum RebuilderKeyError
{
    /// <summary>The text is valid.</summary>
    None,

    /// <summary>Neither a PEM of a <c>PUBLIC KEY</c> nor its base 64 on one line.</summary>
    Pem,

    /// <summary>Not an Ed25519 key as a SubjectPublicKeyInfo.</summary>
    KeyInfo,

    /// <summary>A key that is all zero, of small order, or not canonical: see <see cref="Ed25519PublicKey"/>.</summary>
    Weak,
}

/// <summary>A rebuilder's Ed25519 key.</summary>
public sealed record RebuilderKey
{
    private const string Begin = "-----BEGIN PUBLIC KEY-----", End = "-----END PUBLIC KEY-----";

    private readonly Ed25519PublicKey _key;

    private RebuilderKey(Ed25519PublicKey key) => (_key, Id) = (key, IdOf(key));

    /// <summary>A SubjectPublicKeyInfo before the key's 32 bytes, as RFC 8410 has it: without parameters.</summary>
    private static ReadOnlySpan<byte> Head => [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    /// <summary>The same with NULL as parameter, as rebuilderd writes it.</summary>
    private static ReadOnlySpan<byte> HeadWithNull =>
        [0x30, 0x2c, 0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00, 0x03, 0x21, 0x00];

    /// <summary>The key's 32 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _key.Bytes;

    /// <summary>The name of the key in links: SHA-256 of the key's canonical JSON, 64 hexadecimal digits. It is its fingerprint too.
    /// </summary>
    public string Id { get; }

    /// <summary>Reads a PEM, with line ends of any kind, or its base 64 on one line.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out RebuilderKey? key, out RebuilderKeyError error)
    {
        key = null;
        Ed25519PublicKey? imported = null;
        error = !TryReadPem(text.Trim(), out var info) ? RebuilderKeyError.Pem
            : !TryReadInfo(info, out var bytes) ? RebuilderKeyError.KeyInfo
            : !Ed25519PublicKey.TryImport(bytes, out imported, out _) ? RebuilderKeyError.Weak
            : RebuilderKeyError.None;
        key = imported is null ? null : new RebuilderKey(imported);
        return key is not null;
    }

    /// <summary>Whether this key made <paramref name="signature"/> over <paramref name="message"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => _key.Verify(message, signature);

    /// <summary>Returns the key's 32 bytes in base 64.</summary>
    public override string ToString() => _key.ToString();

    private static bool TryReadPem(string text, [NotNullWhen(true)] out byte[]? info)
    {
        var isPem = text.StartsWith(Begin, StringComparison.Ordinal) && text.EndsWith(End, StringComparison.Ordinal)
            && text.Length >= Begin.Length + End.Length;
        var body = isPem ? text[Begin.Length..^End.Length].ReplaceLineEndings("") : text;
        var bytes = new byte[body.Length];
        info = Convert.TryFromBase64String(body, bytes, out var length) && Convert.ToBase64String(bytes, 0, length) == body
            ? bytes[..length] : null;
        return info is not null;
    }

    private static bool TryReadInfo(ReadOnlySpan<byte> info, out ReadOnlySpan<byte> key)
    {
        var size = info.Length - Ed25519PublicKey.Size;
        var isKey = size > 0 && (info[..size].SequenceEqual(Head) || info[..size].SequenceEqual(HeadWithNull));
        key = isKey ? info[size..] : default;
        return isKey;
    }

    /// <remarks>The members are in canonical order. Source: in-toto's <c>securesystemslib</c>, in-toto-rs.</remarks>
    private static string IdOf(Ed25519PublicKey key)
    {
        var hex = Convert.ToHexStringLower(key.Bytes);
        return Digest.Of(Encoding.ASCII.GetBytes(
            $$"""{"keyid_hash_algorithms":["sha256","sha512"],"keytype":"ed25519","keyval":{"public":"{{hex}}"},"scheme":"ed25519"}"""))
            .ToString();
    }
}
