using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace TrustixProxy.Nix.Tests;

public sealed class NarInfoTests
{
    private const string Good =
        """
        StorePath: /nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin
        URL: nar/05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56.nar.xz
        Compression: xz
        FileHash: sha256:05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56
        FileSize: 68852
        NarHash: sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0
        NarSize: 196040
        References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0 6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115
        Deriver: 5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0.drv
        Sig: cache.nixos.org-1:TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==
        CA: fixed:r:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18

        """;

    [Fact]
    public void A_canonical_narinfo_is_written_as_it_was_read()
    {
        Assert.Equal(Good, Parse(Good).ToString());

        var bare = Without(Good, "FileHash", "FileSize", "Deriver", "Sig", "CA")
            .Replace(Line(Good, "References"), "References: ", StringComparison.Ordinal);
        Assert.Equal(bare, Parse(bare).ToString());
    }

    [Fact]
    public void Any_order_of_the_lines_reads_the_same() =>
        Check.QuickThrowOnFailure(Prop.ForAll((int seed) =>
        {
            var lines = Good.TrimEnd('\n').Split('\n');
            new Random(seed).Shuffle(lines);
            return Parse(string.Join('\n', lines) + '\n').Equals(Parse(Good));
        }));

    [Fact]
    public void The_golden_signature_of_cache_nixos_org_covers_the_fingerprint()
    {
        var vector = Vectors.All("fingerprints").ElementAt(1);
        var parts = vector.Text("fingerprint").Split(';');
        var text = $"StorePath: {parts[1]}\nURL: nar/x.nar.xz\nCompression: xz\nNarHash: {parts[2]}\nNarSize: {parts[3]}\n"
            + $"References: {parts[4].Replace("/nix/store/", "", StringComparison.Ordinal).Replace(',', ' ')}\nSig: "
                + $"cache.nixos.org-1:{vector.Text("signature")}\n";
        Assert.True(NixPublicKey.TryParse(vector.Text("public_key"), out var key, out _));

        var narInfo = Parse(text);

        Assert.True(key.Verify(narInfo.Fingerprint, narInfo.Signatures.Single()));
    }

    [Fact]
    public void Lines_that_nix_does_not_know_are_skipped() =>
        Assert.Equal(Parse(Good), Parse(Good + "System: x86_64-linux\n"));

    [Theory]
    [InlineData("Sig: cache.nixos.org-1:c2hvcnQ=")]
    [InlineData("Sig: nonsense")]
    [InlineData("Sig: ")]
    public void A_malformed_signature_is_left_out_and_a_good_one_beside_it_stays(string line) =>
        Assert.Equal(Parse(Good), Parse(Good + line + "\n"));

    [Theory]
    [InlineData("Deriver", "unknown-deriver")]
    [InlineData("Deriver", "../../etc/passwd")]
    [InlineData("FileSize", "18446744073709551615")]
    [InlineData("CA", "")]
    [InlineData("CA", "fixed:r:sha256:nonsense")]
    public void A_malformed_hint_is_left_out(string name, string value) =>
        Assert.Equal(Parse(Without(Good, name)), Parse(Replace(Good, name, value)));

    [Theory]
    [InlineData("Compression: xz\n", "")]
    [InlineData("Compression: xz\n", "Compression: \n")]
    public void A_missing_compression_means_bzip2(string line, string instead) =>
        Assert.Equal("bzip2", Parse(Good.Replace(line, instead, StringComparison.Ordinal)).Compression);

    [Theory]
    [InlineData("StorePath", null, NarInfoError.StorePathMissing)]
    [InlineData("StorePath", "syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin", NarInfoError.StorePath)]
    [InlineData("StorePath", "/nix/store/../../etc/passwd", NarInfoError.StorePath)]
    [InlineData("URL", null, NarInfoError.UrlMissing)]
    [InlineData("URL", "", NarInfoError.UrlMissing)]
    [InlineData("URL", "nar/a b", NarInfoError.Url)]
    [InlineData("Compression", "x z", NarInfoError.Compression)]
    [InlineData("FileHash", "sha256:zz", NarInfoError.FileHash)]
    [InlineData("FileSize", "-1", NarInfoError.FileSize)]
    [InlineData("FileSize", "", NarInfoError.FileSize)]
    [InlineData("FileSize", "18446744073709551616", NarInfoError.FileSize)]
    [InlineData("NarHash", null, NarInfoError.NarHashMissing)]
    [InlineData("NarHash", "sha1:9cn4dyclzvbmy7h8rsmmf8qsvmcqrvh2", NarInfoError.NarHash)]
    [InlineData("NarHash", "sha256:", NarInfoError.NarHash)]
    [InlineData("NarSize", null, NarInfoError.NarSizeMissing)]
    [InlineData("NarSize", "0", NarInfoError.NarSize)]
    [InlineData("NarSize", "1e3", NarInfoError.NarSize)]
    [InlineData("References", "/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0", NarInfoError.References)]
    public void A_fault_in_a_field_is_refused_for_its_own_reason(string name, string? value, NarInfoError expected) =>
        Assert.Equal(expected, ErrorOf(value is null ? Without(Good, name) : Replace(Good, name, value)));

    [Theory]
    [InlineData("References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0\n")]
    [InlineData("CA: fixed:r:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18\n")]
    public void A_second_references_or_content_address_field_is_refused(string line) =>
        Assert.Equal(NarInfoError.Duplicate, ErrorOf(Good + line));

    [Theory]
    [InlineData("URL")]
    [InlineData("Compression")]
    [InlineData("FileHash")]
    [InlineData("NarSize")]
    [InlineData("Deriver")]
    public void Of_other_fields_that_occur_twice_the_last_one_counts(string name)
    {
        var line = Line(Good, name);
        var wrong = name switch
        {
            "NarSize" => "NarSize: 12\n",
            "FileHash" => $"FileHash: sha256:{new string('0', 52)}\n",
            _ =>
            $"{name}: other\n"
        };

        Assert.Equal(Parse(Good), Parse(wrong + Good));
        Assert.Contains(line, Parse(wrong + Good).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_nix_calls_corrupt_or_would_misread_is_refused()
    {
        Assert.Equal(NarInfoError.NoFinalNewline, ErrorOf(Good.TrimEnd('\n')));
        Assert.Equal(NarInfoError.NoFinalNewline, ErrorOf(Good + "Note:"));
        Assert.Equal(NarInfoError.StorePathMissing, ErrorOf(""));
        Assert.Equal(NarInfoError.StorePath, ErrorOf(Good.Replace("\n", "\r\n", StringComparison.Ordinal)));
        Assert.Equal(NarInfoError.NoSeparator, ErrorOf(Good + "\n"));
        Assert.Equal(NarInfoError.References,
            ErrorOf(Replace(Good, "References", "").Replace("References: \n", "References:\n", StringComparison.Ordinal)));
        Assert.Equal(NarInfoError.NoSeparator, ErrorOf("<html>hello</html>\n"));
    }

    [Theory]
    [InlineData("Note: gr\u00f6\u00dfer\n")]
    [InlineData("Note: \u0001\t\u007f\0\r\n")]
    [InlineData("Note:\nOther: swallowed\n")]
    [InlineData("words\n\nNote:x\n")]
    public void Lines_that_nobody_reads_may_hold_anything(string lines) => Assert.Equal(Parse(Good), Parse(Good + lines));

    [Theory]
    [InlineData("NarSize: 196040", "NarSize:\t+0196040")]
    [InlineData("FileSize: 68852", "FileSize: 0068852")]
    [InlineData("Compression: xz", "Compression:  X-XZ ")]
    [InlineData("StorePath: /nix/store/", "StorePath: /nix//./store/x/../")]
    [InlineData("curl-7.82.0 6w8g", "curl-7.82.0  6w8g")]
    [InlineData("References: 0jqd", "References:  0jqd")]
    [InlineData("KZBQ==", "KZBQ")]
    [InlineData("KZBQ==", "KZBQ== ")]
    [InlineData("KZBQ==", "KZBQ=words")]
    public void Spellings_that_nix_takes_read_the_same(string plain, string odd)
    {
        Assert.Contains(plain, Good, StringComparison.Ordinal);
        Assert.Equal(Parse(Good), Parse(Good.Replace(plain, odd, StringComparison.Ordinal)));
    }

    [Fact]
    public void Bytes_from_128_in_a_url_become_escapes() =>
        Assert.Equal("nar/%C3%BC.nar", Parse(Replace(Good, "URL", "nar/\u00c3\u00bc.nar")).Url);

    [Fact]
    public void More_than_a_mebibyte_is_refused_unread() =>
        Assert.Equal(NarInfoError.TooLarge, ErrorOf(new string('a', NarInfo.MaxSize + 1)));

    private static NarInfo Parse(string text) =>
        NarInfo.TryParse(Encoding.Latin1.GetBytes(text), out var narInfo, out var error) ? narInfo
            : throw new FormatException(error.ToString());

    private static NarInfoError ErrorOf(string text)
    {
        NarInfo.TryParse(Encoding.Latin1.GetBytes(text), out _, out var error);
        return error;
    }

    private static string Line(string text, string name) =>
        text.Split('\n').Single(line => line.StartsWith(name + ":", StringComparison.Ordinal));

    private static string Without(string text, params string[] names) =>
        names.Aggregate(text, (rest, name) => rest.Replace(Line(rest, name) + "\n", "", StringComparison.Ordinal));

    private static string Replace(string text, string name, string value) =>
        text.Replace(Line(text, name), $"{name}: {value}", StringComparison.Ordinal);
}
