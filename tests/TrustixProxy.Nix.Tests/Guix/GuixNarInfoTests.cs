namespace TrustixProxy.Nix.Tests.Guix;

/// <summary>GNU Guix's narinfos: what the signed part says counts, each field once.</summary>
public sealed class GuixNarInfoTests
{
    private static readonly string[] KeyNames = ["alice", "bob", "p256", "rsa"];

    /// <summary>Vectors that Guix believes and we do not, and the reason.</summary>
    private static readonly Dictionary<string, NarInfoError> Stricter = new()
    {
        ["x-narsize-below.narinfo"] = NarInfoError.NarSizeMissing,
        ["x-no-final-newline.narinfo"] = NarInfoError.NoFinalNewline,
    };

    /// <summary>Vectors that Guix refuses, and our reason.</summary>
    private static readonly Dictionary<string, GuixSignatureError> Refused = new()
    {
        ["x-narhash-tampered.narinfo"] = GuixSignatureError.Hash,
        ["x-narsize-tampered.narinfo"] = GuixSignatureError.Hash,
        ["x-other-hash.narinfo"] = GuixSignatureError.Hash,
        ["x-r-zero.narinfo"] = GuixSignatureError.Value,
        ["x-s-negated.narinfo"] = GuixSignatureError.Value,
        ["x-s-plus-n.narinfo"] = GuixSignatureError.Value,
        ["x-version-2.narinfo"] = GuixSignatureError.Version,
    };

    [Fact]
    public void Every_vector_is_judged_as_guix_judges_it_or_more_strictly_for_a_named_reason()
    {
        Assert.True(GuixVectors.All.Count > 25);
        foreach (var (file, isValid) in GuixVectors.All)
        {
            var isRead = NarInfo.TryParse(GuixVectors.Bytes(file), Store.Guix, out var narInfo, out var error);
            var signers = KeyNames.Where(name => isRead && GuixVectors.Key(name).FindSignature(narInfo!) is not null).ToList();

            Assert.Equal((file, Stricter.GetValueOrDefault(file, file is "x-references-unsigned.narinfo"
                ? NarInfoError.ReferencesMissing : NarInfoError.None)), (file, error));
            Assert.Equal((file, isValid && !Stricter.ContainsKey(file) ? 1 : 0), (file, signers.Count));
        }
    }

    [Fact]
    public void Each_altered_vector_is_refused_for_its_own_reason()
    {
        foreach (var (file, reason) in Refused)
        {
            Assert.False(GuixVectors.Key("alice").Verify(GuixVectors.NarInfo(file).GuixSignature!, out var error));
            Assert.Equal((file, reason), (file, error));
        }

        Assert.Null(GuixVectors.NarInfo("x-no-signature.narinfo").GuixSignature);
        Assert.False(GuixVectors.Key("bob").Verify(GuixVectors.NarInfo("hello.alice.narinfo").GuixSignature!, out var other));
        Assert.Equal(GuixSignatureError.OtherKey, other);
    }

    [Fact]
    public void What_stands_below_the_signature_changes_nothing_that_is_voted_on()
    {
        var (plain, more) = (GuixVectors.NarInfo("hello.alice.narinfo"), GuixVectors.NarInfo("x-path-twice.narinfo"));

        Assert.Equal(plain.Fingerprint, more.Fingerprint);
        Assert.Equal(plain.Fingerprint, GuixVectors.NarInfo("hello.bob.narinfo").Fingerprint);
        Assert.NotEqual(GuixVectors.NarInfo("odd.alice.narinfo").Fingerprint, GuixVectors.NarInfo("odd.bob.narinfo").Fingerprint);
        Assert.StartsWith("1;/gnu/store/", plain.Fingerprint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello.alice.narinfo", "zstd", null)]
    [InlineData("hello.cached.narinfo", "zstd", 2745L)]
    [InlineData("source.alice.narinfo", "none", null)]
    [InlineData("x-signature-last.narinfo", "lzip", null)]
    public void Of_several_compressions_the_one_that_is_decoded_fastest_counts(string file, string compression, long? size)
    {
        var narInfo = GuixVectors.NarInfo(file);

        Assert.Equal(compression, narInfo.Compression);
        Assert.Contains(compression is "none" ? "nar/" : $"/{compression}/", narInfo.Url, StringComparison.Ordinal);
        Assert.True(size is null || narInfo.FileSize == size);
        Assert.Null(narInfo.FileHash);
    }

    [Fact]
    public void Its_own_text_reads_the_same_and_keeps_what_was_signed()
    {
        foreach (var (file, _) in GuixVectors.All.Where(vector => vector.IsValid && !Stricter.ContainsKey(vector.File)))
        {
            var narInfo = GuixVectors.NarInfo(file);
            var again = GuixVectors.Read(narInfo.ToString());

            Assert.Equal(narInfo, again);
            Assert.Equal(narInfo.GuixSignature, again.GuixSignature);
            Assert.Equal((narInfo.Url, narInfo.Deriver), (again.Url, again.Deriver));
            Assert.True(CacheSignature.TryParse($"{narInfo.GuixSignature}", out var signature));
            Assert.Equal(narInfo.GuixSignature, signature);
        }
    }

    [Theory]
    [InlineData("StorePath: /gnu/store/", "StorePath: /nix/store/", NarInfoError.StorePath)]
    [InlineData("StorePath: ", "Path: ", NarInfoError.StorePathMissing)]
    [InlineData("NarHash: sha256:", "NarHash: md5:", NarInfoError.NarHash)]
    [InlineData("NarHash: ", "Hash: ", NarInfoError.NarHashMissing)]
    [InlineData("NarSize: ", "NarSize: -", NarInfoError.NarSize)]
    [InlineData("NarSize: 29968", "NarSize: 0", NarInfoError.NarSize)]
    [InlineData("NarSize: 29968", "NarSize: 29968\nNarSize: 29968", NarInfoError.Duplicate)]
    [InlineData("References: ", "References: x ", NarInfoError.References)]
    [InlineData("NarSize: ", "\nNarSize: ", NarInfoError.Line)]
    [InlineData("NarSize: ", "+ \nNarSize: ", NarInfoError.Line)]
    [InlineData("NarSize: ", "# Name: x\nNarSize: ", NarInfoError.Line)]
    [InlineData("NarSize: ", "NarSize:\t", NarInfoError.Line)]
    [InlineData("NarSize: ", "Note: Signature: 1\nNarSize: ", NarInfoError.Signature)]
    [InlineData("Signature: 1;", "Signature:1;", NarInfoError.Signature)]
    [InlineData("Signature: 1;alice", "Signature: 1;al ice", NarInfoError.Signature)]
    [InlineData("Signature: 1;alice", "Signature: 1;\u00e9", NarInfoError.NotAscii)]
    [InlineData("Compression: gzip\n", "", NarInfoError.Compression)]
    [InlineData("Compression: gzip", "Compression: a b", NarInfoError.Compression)]
    [InlineData("Compression: gzip", "Compression: gzip\nFileSize: x", NarInfoError.FileSize)]
    [InlineData("Compression: gzip", "Compression: gzip\nFileSize: 1\nFileSize: 1", NarInfoError.FileSize)]
    [InlineData("URL: nar/gzip/", "URL: nar /gzip/", NarInfoError.Url)]
    public void Anything_else_is_refused_for_its_own_reason(string good, string bad, NarInfoError expected)
    {
        var text = GuixVectors.Text("hello.alice.narinfo");
        Assert.Contains(good, text, StringComparison.Ordinal);

        Assert.Equal(expected, GuixVectors.ErrorOf(text.Replace(good, bad, StringComparison.Ordinal)));
    }

    [Fact]
    public void Without_a_location_or_above_the_limit_it_is_refused()
    {
        var text = GuixVectors.Text("hello.alice.narinfo");

        Assert.Equal(NarInfoError.UrlMissing, GuixVectors.ErrorOf(text[..text.IndexOf("URL:", StringComparison.Ordinal)]));
        Assert.Equal(NarInfoError.TooLarge, GuixVectors.ErrorOf(text + new string('x', NarInfo.MaxSize)));
        Assert.False(NarInfo.TryParse(GuixVectors.Bytes("hello.alice.narinfo"), out _, out var error));
        Assert.Equal(NarInfoError.StorePath, error);
    }
}
