using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>A key that signs narinfos for GNU Guix: ECDSA over NIST P-256, derived from the key that signs for Nix.</summary>
/// <remarks>Guix cannot use Ed25519 as Nix does, but believes any key that libgcrypt knows. Signatures are deterministic.</remarks>
public sealed class GuixSecretKey
{
    private const string Host = "trustix-proxy";

    private readonly P256SigningKey _key;
    private readonly SExpression _public;

    private GuixSecretKey(P256SigningKey key)
    {
        _key = key;
        _public = SExpression.List("public-key", SExpression.List(
            "ecc", SExpression.List("curve", SExpression.Of("NIST P-256")), SExpression.List("q", SExpression.Of(key.PublicKey))));
        PublicKey = GuixPublicKey.TryParse(_public.ToString(), out var own, out _) ? own
            : throw new System.Diagnostics.UnreachableException("a derived key is on its curve");
    }

    /// <summary>The public key, which clients authorize.</summary>
    public GuixPublicKey PublicKey { get; }

    /// <summary>Derives the key of a signing key; always the same.</summary>
    public static GuixSecretKey Of(NixSecretKey key)
    {
        var secret = key.Derive("trustix-proxy guix p256 v1"u8, P256SigningKey.SecretSize);
        var derived = new GuixSecretKey(new P256SigningKey(secret));
        CryptographicOperations.ZeroMemory(secret);
        return derived;
    }

    /// <summary>Signs what a narinfo says of one output.</summary>
    public GuixSignature Sign(StorePath path, NixHash narHash, long narSize, IEnumerable<StorePath> references)
    {
        var head = GuixNarInfoText.Head(path, narHash, narSize, references);
        var hash = new byte[Sha256.Size];
        Sha256.Hash(Encoding.ASCII.GetBytes(head), hash);
        var (r, s) = _key.Sign(hash);
        var made = SExpression.List(
            "signature",
            SExpression.List("data", SExpression.List("flags", SExpression.Of("rfc6979")),
                SExpression.List("hash", SExpression.Of("sha256"), SExpression.Of(hash))),
            SExpression.List("sig-val", SExpression.List(
                "ecdsa", SExpression.List("r", SExpression.Of(r)), SExpression.List("s", SExpression.Of(s)))),
            _public);
        var text = $"{head}{GuixSignature.Mark} 1;{Host};{Convert.ToBase64String(Encoding.ASCII.GetBytes(made.ToLines()))}";
        return GuixSignature.TryParse(text, out var signature) ? signature
            : throw new System.Diagnostics.UnreachableException("what is signed can be read");
    }
}
