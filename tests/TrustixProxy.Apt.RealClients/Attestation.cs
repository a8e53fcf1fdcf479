using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Native;

namespace TrustixProxy.Apt.RealClients;

/// <summary>An in-toto link as a rebuilder's worker writes it.</summary>
internal static class Attestation
{
    /// <summary>A link that says what was rebuilt, signed by one key.</summary>
    /// <param name="fileName">The file that it names.</param>
    /// <param name="sha256">The file's digest.</param>
    /// <param name="key">Signs it.</param>
    public static string Of(string fileName, string sha256, Ed25519SigningKey key)
    {
        // Members in order, no spaces: canonical JSON of what has no character to escape is the text itself.
        var digest = $$"""{"sha256":"{{sha256}}"}""";
        var signed = """{"_type":"link","byproducts":{},"command":[],"environment":null,"materials":{"tests.buildinfo":"""
            + $$"""{{digest}}},"name":"rebuild {{fileName}}","products":{"{{fileName}}":{{digest}}""" + "}}";
        var signature = Convert.ToHexStringLower(key.Sign(Encoding.UTF8.GetBytes(signed)));
        return $$"""{"signatures":[{"keyid":"{{IdOf(key.PublicKey)}}","sig":"{{signature}}"}],"signed":{{signed}}}""";
    }

    /// <summary>A public key as rebuilders publish it: SPKI with a NULL parameter, as PEM.</summary>
    public static string PemOf(Ed25519PublicKey key) => new(PemEncoding.Write(
        "PUBLIC KEY", [.. Convert.FromHexString("302c300706032b65700500032100"), .. key.Bytes]));

    private static string IdOf(Ed25519PublicKey key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        """{"keyid_hash_algorithms":["sha256","sha512"],"keytype":"ed25519","keyval":"""
        + $$"""{"public":"{{Convert.ToHexStringLower(key.Bytes)}}"},"scheme":"ed25519"}""")));
}
