using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>Why a text is not a public key of GNU Guix.</summary>
public enum GuixKeyError
{
    /// <summary>The text is valid.</summary>
    None,

    /// <summary>Not one S-expression of the form <c>(public-key …)</c>.</summary>
    Form,

    /// <summary>Another kind of key than Guix can verify: <c>ecc</c> over Ed25519 or NIST P-256 without flags, or <c>rsa</c>.</summary>
    Kind,

    /// <summary>No point of the curve's group of prime order, or an RSA modulus of less than 2048 or more than 8192 bits.</summary>
    Value,

    /// <summary>A key over Ed25519, whose curve this machine's libcrypto refuses.</summary>
    Library,
}

/// <summary>Why a signature of GNU Guix is not one by this key.</summary>
public enum GuixSignatureError
{
    /// <summary>The signature is valid.</summary>
    None,

    /// <summary>Not <c>version;host;base64</c>.</summary>
    Form,

    /// <summary>Another version than 1.</summary>
    Version,

    /// <summary>No base 64 of an S-expression.</summary>
    Expression,

    /// <summary>An S-expression of another shape than a signature's.</summary>
    Shape,

    /// <summary>It names another key.</summary>
    OtherKey,

    /// <summary>It is for another text.</summary>
    Hash,

    /// <summary>The key did not make it.</summary>
    Value,
}

/// <summary>A public key of GNU Guix: <c>(public-key (ecc (curve Ed25519) (q #…#)))</c>, over NIST P-256, or RSA.</summary>
/// <remarks>Zeros before the numbers of an RSA key make no other key. Guix's Ed25519 is ECDSA over that curve's group: see
/// <see cref="Ed25519EcdsaKey"/>. Source: Guix <c>guix/pki.scm</c>.</remarks>
public sealed record GuixPublicKey : CacheKey
{
    private readonly SExpression _expression;
    private readonly GuixScheme _scheme;
    private readonly byte[] _bytes;

    private GuixPublicKey(SExpression expression, GuixScheme scheme) =>
        (_expression, _scheme, _bytes) = (expression, scheme, Encoding.ASCII.GetBytes(expression.ToString()));

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Parses a whole S-expression, on one line or on many.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out GuixPublicKey? key, out GuixKeyError error)
    {
        (key, error) = (null, GuixKeyError.Form);
        if (SExpression.TryParse(text, out var expression) && expression.Rest("public-key", 1) is [var content])
        {
            key = GuixScheme.Read(content, out error) is { } scheme ? new GuixPublicKey(GuixScheme.Canonical(expression), scheme) : null;
        }

        return key is not null;
    }

    /// <summary>Whether this key made a signature.</summary>
    public bool Verify(GuixSignature signature, out GuixSignatureError error)
    {
        error = Check(signature);
        return error is GuixSignatureError.None;
    }

    /// <inheritdoc/>
    /// <remarks>The narinfo must say what the signed text says.</remarks>
    public override CacheSignature? FindSignature(NarInfo narInfo) =>
        narInfo.GuixSignature is { } signature && signature.Fingerprint == narInfo.Fingerprint && Verify(signature, out _)
            ? signature : null;

    /// <summary>Formats the key on many lines, as the file that <c>guix archive --authorize</c> reads.</summary>
    public string ToLines() => _expression.ToLines();

    /// <inheritdoc/>
    public bool Equals(GuixPublicKey? other) => other is not null && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode() => _expression.GetHashCode();

    /// <summary>Formats the key on one line.</summary>
    public override string ToString() => _expression.ToString();

    private GuixSignatureError Check(GuixSignature signature)
    {
        if (signature.Line.Split(';') is not [var version, _, var text])
        {
            return GuixSignatureError.Form;
        }

        if (version is not "1")
        {
            return GuixSignatureError.Version;
        }

        if (!TryDecode(text, out var expression))
        {
            return GuixSignatureError.Expression;
        }

        if (expression.Rest("signature", 3) is not [var data, var made, { } named]
            || data.Rest("data", 2) is not [var flags, var hashed] || flags.Rest("flags", 1) is not [var flag]
            || hashed.Rest("hash", 2) is not [var algorithm, { IsAtom: true } hash] || !algorithm.Is("sha256")
            || made.Rest("sig-val", 1) is not [var value])
        {
            return GuixSignatureError.Shape;
        }

        var by = GuixScheme.Canonical(named);
        Span<byte> computed = stackalloc byte[Sha256.Size];
        Sha256.Hash(Encoding.ASCII.GetBytes(signature.Head), computed);
        return !by.Equals(_expression) ? GuixSignatureError.OtherKey
            : !flag.Is(_scheme.Flag) ? GuixSignatureError.Shape
            : !computed.SequenceEqual(hash.Bytes) ? GuixSignatureError.Hash
            : !_scheme.Verify(computed, value) ? GuixSignatureError.Value
            : GuixSignatureError.None;
    }

    private static bool TryDecode(string text, [NotNullWhen(true)] out SExpression? expression)
    {
        expression = null;
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var size) && Convert.ToBase64String(bytes, 0, size) == text
            && SExpression.TryParse(Encoding.Latin1.GetString(bytes, 0, size), out expression);
    }
}
