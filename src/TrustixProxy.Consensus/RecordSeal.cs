using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>Authenticates records in untrusted stores by a MAC, and accepts only records with a valid one.</summary>
/// <remarks>32 bytes HMAC-SHA256, then the body. The MAC covers kind, name and body; its key is derived from the signing key. Records of a
/// previous key can be read, never made.</remarks>
public sealed class RecordSeal
{
    private const int MacSize = 32;

    private readonly ImmutableArray<byte[]> _keys;

    /// <summary>Creates the seal of a signing key.</summary>
    /// <param name="signingKey">The key that new records are sealed with.</param>
    /// <param name="previous">Keys whose records are still accepted.</param>
    public RecordSeal(NixSecretKey signingKey, IEnumerable<NixSecretKey> previous) =>
        _keys = [.. previous.Prepend(signingKey).Select(key => key.Derive("trustix-proxy record"u8, MacSize))];

    /// <summary>Seals a body with our MAC.</summary>
    /// <param name="kind">The kind of record; without NUL.</param>
    /// <param name="name">The record's name; without NUL.</param>
    /// <param name="body">The record.</param>
    public byte[] Seal(string kind, string name, ReadOnlySpan<byte> body) => [.. Mac(_keys[0], kind, name, body), .. body];

    /// <summary>Returns the body if the bytes are a record of this kind and name, sealed by our key or a previous one.</summary>
    public bool TryOpen(string kind, string name, ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> body)
    {
        body = default;
        if (bytes.Length < MacSize)
        {
            return false;
        }

        foreach (var key in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(bytes[..MacSize], Mac(key, kind, name, bytes[MacSize..])))
            {
                body = bytes[MacSize..];
                return true;
            }
        }

        return false;
    }

    private static byte[] Mac(byte[] key, string kind, string name, ReadOnlySpan<byte> body)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        mac.AppendData(Encoding.UTF8.GetBytes($"{kind}\0{name}\0"));
        mac.AppendData(body);
        return mac.GetHashAndReset();
    }
}
