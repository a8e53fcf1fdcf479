namespace TrustixProxy.Nix.Tests;

public sealed class FingerprintTests
{
    [Fact]
    public void The_golden_fingerprints_are_written_to_the_letter_whatever_the_order_of_the_references()
    {
        foreach (var vector in Vectors.All("fingerprints"))
        {
            var parts = vector.Text("fingerprint").Split(';');
            var references = parts[4].Length is 0 ? [] : parts[4].Split(',').Select(Path).ToList();
            Assert.True(NixHash.TryParse(parts[2], out var narHash, out _));
            var size = long.Parse(parts[3]);

            Assert.Equal(vector.Text("fingerprint"), Fingerprint.Format(Path(parts[1]), narHash, size, references));
            Assert.Equal(vector.Text("fingerprint"),
                Fingerprint.Format(Path(parts[1]), narHash, size, references.AsEnumerable().Reverse().Concat(references)));
        }
    }

    [Fact]
    public void A_size_of_nothing_is_never_signed() =>
        Assert.Throws<ArgumentOutOfRangeException>(
            () => Fingerprint.Format(Path("/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src"), NixHash.Sha256(new byte[32]), 0, []));

    private static StorePath Path(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) ? path : throw new ArgumentException(text);
}
