using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Guix;

/// <summary>A P-256 key that signs narinfos as libgcrypt does, written from Guix's own form and not from the program's.</summary>
internal sealed class FarmKey : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>The public key, an S-expression on one line.</summary>
    public string PublicKey
    {
        get
        {
            var point = _key.ExportParameters(includePrivateParameters: false).Q;
            return $"(public-key (ecc (curve \"NIST P-256\") (q #04{Convert.ToHexString(point.X!)}{Convert.ToHexString(point.Y!)}#)))";
        }
    }

    /// <summary>The signature line of a narinfo that begins with this text.</summary>
    public string Sign(string head)
    {
        var hash = SHA256.HashData(Encoding.ASCII.GetBytes(head));
        var signature = _key.SignHash(hash);
        var text = $"(signature (data (flags rfc6979) (hash sha256 #{Convert.ToHexString(hash)}#)) "
            + $"(sig-val (ecdsa (r #{Number(signature.AsSpan(0, 32))}#) (s #{Number(signature.AsSpan(32))}#))) {PublicKey})";
        return $"Signature: 1;farm;{Convert.ToBase64String(Encoding.ASCII.GetBytes(text))}\n";
    }

    public void Dispose() => _key.Dispose();

    /// <summary>A number without leading zero bytes, and with one where its first bit is set, as libgcrypt writes it.</summary>
    private static string Number(ReadOnlySpan<byte> bytes)
    {
        var digits = bytes.TrimStart((byte)0);
        return (digits is [>= 0x80, ..] ? "00" : "") + Convert.ToHexString(digits);
    }
}
