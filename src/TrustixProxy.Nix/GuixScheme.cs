using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>How a GNU Guix key verifies: the kinds of keys that Guix can sign with.</summary>
internal abstract class GuixScheme
{
    private GuixScheme()
    {
    }

    /// <summary>The flag that stands in a signature's <c>data</c>.</summary>
    public abstract string Flag { get; }

    /// <summary>Whether <paramref name="value"/>, the content of <c>sig-val</c>, is the key's signature of a SHA-256 hash.</summary>
    public abstract bool Verify(ReadOnlySpan<byte> hash, SExpression value);

    /// <summary>Reads the content of a <c>public-key</c> expression.</summary>
    public static GuixScheme? Read(SExpression content, out GuixKeyError error)
    {
        GuixScheme? scheme = null;
        if (content.Rest("ecc", 2) is [var curve, var point] && curve.Rest("curve", 1) is [{ IsAtom: true } name]
            && point.Rest("q", 1) is [{ IsAtom: true } q])
        {
            scheme = name.Is("Ed25519") ? Ed25519EcdsaKey.TryImport(q.Bytes, out var edwards) ? new OfEd25519(edwards) : null
                : name.Is("NIST P-256") && P256PublicKey.TryImport(q.Bytes, out var p256) ? new OfP256(p256) : null;
            error = scheme is not null ? GuixKeyError.None
                : name.Is("Ed25519") && !Ed25519EcdsaKey.IsSupported ? GuixKeyError.Library
                : name.Is("Ed25519") || name.Is("NIST P-256") ? GuixKeyError.Value : GuixKeyError.Kind;
        }
        else if (TryReadRsa(content, out var n, out var e))
        {
            scheme = RsaPublicKey.TryImport(n.Bytes, e.Bytes, out var rsa) ? new OfRsa(rsa) : null;
            error = scheme is null ? GuixKeyError.Value : GuixKeyError.None;
        }
        else
        {
            error = GuixKeyError.Kind;
        }

        return scheme;
    }

    /// <summary>Returns a <c>public-key</c> expression in the form that equal keys share: the numbers of RSA as libgcrypt writes
    /// them.</summary>
    public static SExpression Canonical(SExpression key) =>
        key.Rest("public-key", 1) is [var content] && TryReadRsa(content, out var n, out var e)
            ? SExpression.List("public-key", SExpression.List("rsa", SExpression.List("n", Number(n)), SExpression.List("e", Number(e))))
            : key;

    private static bool TryReadRsa(SExpression content, [NotNullWhen(true)] out SExpression? n, [NotNullWhen(true)] out SExpression? e)
    {
        (n, e) = content.Rest("rsa", 2) is [var modulus, var exponent] && modulus.Rest("n", 1) is [{ IsAtom: true } first]
            && exponent.Rest("e", 1) is [{ IsAtom: true } second] ? (first, second) : (null, null);
        return n is not null && e is not null;
    }

    /// <summary>Returns a number without leading zero bytes, and with one where its first bit is set.</summary>
    private static SExpression Number(SExpression number)
    {
        var digits = number.Bytes.TrimStart((byte)0);
        return SExpression.Of(digits is [> 0x7f, ..] ? [0, .. digits] : digits);
    }

    /// <summary>Reads <c>(ecdsa (r …) (s …))</c>.</summary>
    private static bool TryReadPair(SExpression value, [NotNullWhen(true)] out SExpression? r, [NotNullWhen(true)] out SExpression? s)
    {
        (r, s) = value.Rest("ecdsa", 2) is [var first, var second] && first.Rest("r", 1) is [{ IsAtom: true } one]
            && second.Rest("s", 1) is [{ IsAtom: true } two] ? (one, two) : (null, null);
        return r is not null && s is not null;
    }

    private sealed class OfEd25519(Ed25519EcdsaKey key) : GuixScheme
    {
        public override string Flag => "rfc6979";

        public override bool Verify(ReadOnlySpan<byte> hash, SExpression value) =>
            TryReadPair(value, out var r, out var s) && key.Verify(hash, r.Bytes, s.Bytes);
    }

    private sealed class OfP256(P256PublicKey key) : GuixScheme
    {
        public override string Flag => "rfc6979";

        public override bool Verify(ReadOnlySpan<byte> hash, SExpression value) =>
            TryReadPair(value, out var r, out var s) && key.Verify(hash, r.Bytes, s.Bytes);
    }

    private sealed class OfRsa(RsaPublicKey key) : GuixScheme
    {
        public override string Flag => "pkcs1";

        public override bool Verify(ReadOnlySpan<byte> hash, SExpression value) =>
            value.Rest("rsa", 1) is [var part] && part.Rest("s", 1) is [{ IsAtom: true } s] && key.Verify(hash, s.Bytes);
    }
}
