namespace TrustixProxy.Nix.Tests;

public sealed class KeyTests
{
    [Fact]
    public void The_golden_signatures_are_valid_and_no_other_text_has_them()
    {
        foreach (var vector in Vectors.All("fingerprints"))
        {
            Assert.True(NixPublicKey.TryParse(vector.Text("public_key"), out var key, out _));
            Assert.True(NixSignature.TryParse($"{key.Name}:{vector.Text("signature")}", out var signature));

            Assert.True(key.Verify(vector.Text("fingerprint"), signature));
            Assert.False(key.Verify(vector.Text("fingerprint") + " ", signature));
        }
    }

    [Fact]
    public void A_signature_under_another_name_is_none_of_this_key()
    {
        var key = NixSecretKey.Generate("ours-1");
        Assert.True(
            NixSignature.TryParse(key.Sign("text").ToString().Replace("ours-1", "ours-2", StringComparison.Ordinal), out var renamed));

        Assert.True(key.PublicKey.Verify("text", key.Sign("text")));
        Assert.False(key.PublicKey.Verify("text", renamed));
    }

    [Fact]
    public void A_key_file_is_read_as_it_was_written()
    {
        var key = NixSecretKey.Generate("cache.example.org-1");

        Assert.True(NixSecretKey.TryParse(key.Export(), out var same, out _));
        Assert.Equal(key.PublicKey, same.PublicKey);
        Assert.True(NixPublicKey.TryParse(key.PublicKey.ToString(), out var published, out _));
        Assert.Equal(key.PublicKey, published);
    }

    [Theory]
    [InlineData("", NixKeyError.NoColon)]
    [InlineData("abc", NixKeyError.NoColon)]
    [InlineData(":6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", NixKeyError.Name)]
    [InlineData("a b:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", NixKeyError.Name)]
    [InlineData("a:", NixKeyError.Bytes)]
    [InlineData("a:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY", NixKeyError.Bytes)]
    [InlineData("a:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=\n", NixKeyError.Bytes)]
    public void Anything_else_is_no_public_key_for_its_own_reason(string text, NixKeyError expected)
    {
        Assert.False(NixPublicKey.TryParse(text, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_secret_key_whose_halves_do_not_belong_together_is_refused()
    {
        var (one, two) = (NixSecretKey.Generate("a"), NixSecretKey.Generate("a"));
        var seed = Convert.FromBase64String(one.Export()[2..])[..32];
        var mixed = $"a:{Convert.ToBase64String([.. seed, .. two.PublicKey.Bytes])}";

        Assert.False(NixSecretKey.TryParse(mixed, out _, out var error));
        Assert.Equal(NixKeyError.Halves, error);
    }

    [Theory]
    [InlineData("lab-1:c2hvcnQ=")]
    [InlineData("lab-1")]
    [InlineData("lab-1:")]
    public void A_signature_that_is_not_64_bytes_is_malformed(string text) => Assert.False(NixSignature.TryParse(text, out _));
}
