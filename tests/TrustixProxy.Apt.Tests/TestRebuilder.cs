using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Native;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt.Tests;

/// <summary>A rebuilder with a key of its own, which signs what a test says.</summary>
internal sealed class TestRebuilder
{
    private readonly Ed25519SigningKey _key;

    public TestRebuilder(string name, string? by = null)
    {
        _key = new Ed25519SigningKey(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        Elector = new Rebuilder(name, by ?? name, KeyOf(_key.PublicKey));
    }

    public Rebuilder Elector { get; }

    /// <summary>A link for a file, signed by a worker's key and the instance's.</summary>
    public byte[] Link(string fileName, Digest sha256) => Sign(
        """{"_type":"link","byproducts":{},"command":[],"environment":null,"materials":{},"products":{"FILE":{"sha256":"HASH"}}}"""
            .Replace("FILE", fileName, StringComparison.Ordinal).Replace("HASH", sha256.ToString(), StringComparison.Ordinal));

    /// <summary>Signs a text that is in canonical form.</summary>
    public byte[] Sign(string signed) => Encoding.UTF8.GetBytes(
        $$"""{"signatures":[{"keyid":"{{new string('0', 64)}}","sig":"{{new string('1', 128)}}"},"""
            + $$"""{"keyid":"{{Elector.Key.Id}}","sig":"{{Convert.ToHexStringLower(_key.Sign(Encoding.UTF8.GetBytes(signed)))}}"}]"""
            + $$""","signed":{{signed}}}""");

    public DebBallot Vote(AskedDeb asked, int other = 0) =>
        DebBallot.Of(Link(asked.File.FileName, other is 0 ? asked.Sha256 : Make.DigestOf(other)), Elector, asked.File);

    private static RebuilderKey KeyOf(Ed25519PublicKey key) =>
        RebuilderKey.TryParse(Convert.ToBase64String([.. Make.KeyHead, .. key.Bytes]), out var read, out _) ? read
            : throw new ArgumentException("A key of ours is a key.", nameof(key));
}
