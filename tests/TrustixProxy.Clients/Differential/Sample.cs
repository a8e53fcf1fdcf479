using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients.Differential;

/// <summary>A path whose cache answers oddly.</summary>
/// <param name="Oddity">What is odd.</param>
/// <param name="Path">The path.</param>
/// <param name="Nar">Its archive.</param>
/// <param name="File">The archive as the cache has it.</param>
/// <param name="Signature">The signature of the true fields.</param>
internal sealed record Sample(Oddity Oddity, StorePath Path, byte[] Nar, byte[] File, string Signature)
{
    public NixHash NarHash => NixHash.Sha256(SHA256.HashData(Nar));

    public NixHash FileHash => NixHash.Sha256(SHA256.HashData(File));

    public string Url => $"nar/{Path.Digest}.nar";

    /// <summary>The lines of a plain narinfo.</summary>
    public IEnumerable<string> Lines =>
    [
        $"StorePath: {Path.Absolute}",
        $"URL: {Url}",
        $"Compression: {Oddity.Compression}",
        $"FileHash: {FileHash}",
        $"FileSize: {File.Length}",
        $"NarHash: {NarHash}",
        $"NarSize: {Nar.Length}",
        $"References: {string.Join(' ', Oddity.References)}",
        "Deriver: 00bgd045z0d4icpbc2yyz4gx48ak44la-odd-1.0.drv",
        $"Sig: {Signature}",
    ];

    /// <summary>The narinfo as it is served, before a content encoding.</summary>
    public byte[] NarInfo => Encoding.Latin1.GetBytes(Oddity.Text(string.Concat(Oddity.Lines(this).Select(line => line + "\n"))));

    /// <summary>Makes the sample of an oddity, from random bytes and a key.</summary>
    public static Sample Make(Oddity oddity, Random random, NixSecretKey key)
    {
        var digest = new byte[20];
        random.NextBytes(digest);
        var path = StorePath.TryParse($"{Nix32.Encode(digest)}-{oddity.PathName}", out var parsed, out _) ? parsed
            : throw new FormatException(oddity.PathName);
        var contents = new byte[600];
        random.NextBytes(contents.AsSpan(0, 300));
        var nar = oddity.ChangeNar(TestOutput.Pack(oddity.Write ?? (writer => writer.File(contents, executable: true))));
        var fingerprint = Fingerprint.Format(path, NixHash.Sha256(SHA256.HashData(nar)), nar.Length, oddity.References);
        var file = oddity.ChangeFile(Packing.Pack(oddity.Compression, nar));
        return new Sample(oddity, path, nar, file, key.Sign(fingerprint).ToString());
    }
}
