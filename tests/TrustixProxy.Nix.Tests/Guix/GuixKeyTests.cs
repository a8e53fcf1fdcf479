using System.Text;

namespace TrustixProxy.Nix.Tests.Guix;

/// <summary>GNU Guix's public keys, and signatures of another shape than its own.</summary>
public sealed class GuixKeyTests
{
    [Theory]
    [InlineData("alice")]
    [InlineData("bob")]
    [InlineData("p256")]
    [InlineData("rsa")]
    public void A_key_file_is_read_and_written_to_the_byte(string name)
    {
        var key = GuixVectors.Key(name);

        Assert.Equal(GuixVectors.Text($"{name}.pub"), key.ToLines());
        Assert.True(GuixPublicKey.TryParse(key.ToString(), out var same, out _));
        Assert.Equal(key, same);
        var spelled = key.ToString().Replace("Ed25519", "\"Ed25519\"", StringComparison.Ordinal);
        Assert.True(GuixPublicKey.TryParse(spelled, out var quoted, out _));
        Assert.Equal(key, quoted);
    }

    [Theory]
    [InlineData("", GuixKeyError.Form)]
    [InlineData("cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", GuixKeyError.Form)]
    [InlineData("(private-key (ecc (curve Ed25519) (q #00#)))", GuixKeyError.Form)]
    [InlineData("(public-key (dsa (y #00#)))", GuixKeyError.Kind)]
    [InlineData("(public-key (ecc (curve secp256k1) (q #00#)))", GuixKeyError.Kind)]
    [InlineData("(public-key (ecc (curve Ed25519) (q #00#)))", GuixKeyError.Value)]
    [InlineData("(public-key (ecc (curve \"NIST P-256\") (q #0400#)))", GuixKeyError.Value)]
    [InlineData("(public-key (rsa (n #0BADCAFE#) (e #010001#)))", GuixKeyError.Value)]
    public void Anything_else_is_no_key_for_its_own_reason(string text, GuixKeyError expected)
    {
        Assert.False(GuixPublicKey.TryParse(text, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void Zeros_before_the_numbers_of_an_rsa_key_make_no_other_key()
    {
        var key = GuixVectors.Key("rsa");
        var text = key.ToString();
        var signed = GuixVectors.NarInfo("hello.rsa.narinfo");

        foreach (var spelled in new[] { text.Replace("#00", "#", StringComparison.Ordinal),
            text.Replace("#00", "#000000", StringComparison.Ordinal), text.Replace("(e #01", "(e #000001", StringComparison.Ordinal) })
        {
            Assert.NotEqual(text, spelled);
            Assert.True(GuixPublicKey.TryParse(spelled, out var same, out _));
            Assert.Equal(key, same);
            Assert.True(key.Bytes.SequenceEqual(same.Bytes));
            Assert.Equal((text, key.ToLines()), (same.ToString(), same.ToLines()));
            Assert.NotNull(same.FindSignature(signed));
        }

        var parts = signed.GuixSignature!.Line.Split(';');
        var made = Encoding.ASCII.GetString(Convert.FromBase64String(parts[2])).Replace("(n #00", "(n #0000", StringComparison.Ordinal);
        var line = $"1;rsa;{Convert.ToBase64String(Encoding.ASCII.GetBytes(made))}";
        Assert.True(GuixSignature.TryParse($"{signed.GuixSignature.Head}Signature: {line}", out var other));
        Assert.True(key.Verify(other, out _));
    }

    [Fact]
    public void A_key_with_flags_is_none_that_guix_can_use()
    {
        Assert.False(GuixPublicKey.TryParse(GuixVectors.Text("eddsa-useless.pub"), out _, out var error));
        Assert.Equal(GuixKeyError.Kind, error);
    }

    [Theory]
    [InlineData("(flags rfc6979)", "(flags pkcs1)", GuixSignatureError.Shape)]
    [InlineData("(flags rfc6979)", "(flags rfc6979 raw)", GuixSignatureError.Shape)]
    [InlineData("sha256", "sha1", GuixSignatureError.Shape)]
    [InlineData("(sig-val ", "(sig-value ", GuixSignatureError.Shape)]
    [InlineData("(ecdsa ", "(eddsa ", GuixSignatureError.Value)]
    [InlineData("(r #", "(r #00", GuixSignatureError.None)]
    [InlineData("(r #", "(r \"", GuixSignatureError.Expression)]
    [InlineData("(q #8F", "(q #8E", GuixSignatureError.OtherKey)]
    [InlineData("(hash sha256 #EE", "(hash sha256 #EF", GuixSignatureError.Hash)]
    [InlineData("(signature", "(signature)(signature", GuixSignatureError.Expression)]
    public void A_signature_has_exactly_one_shape(string good, string bad, GuixSignatureError expected)
    {
        var signature = GuixVectors.NarInfo("hello.alice.narinfo").GuixSignature!;
        var parts = signature.Line.Split(';');
        var text = Encoding.ASCII.GetString(Convert.FromBase64String(parts[2]));
        Assert.Contains(good, text, StringComparison.Ordinal);
        var altered = Convert.ToBase64String(Encoding.ASCII.GetBytes(text.Replace(good, bad, StringComparison.Ordinal)));

        Assert.True(GuixSignature.TryParse($"{signature.Head}Signature: 1;alice;{altered}", out var other));
        GuixVectors.Key("alice").Verify(other, out var error);
        Assert.Equal(expected, error);
    }

    [Theory]
    [InlineData("1;alice", GuixSignatureError.Form)]
    [InlineData("1;a;b;c", GuixSignatureError.Form)]
    [InlineData("01;alice;", GuixSignatureError.Version)]
    [InlineData("1;alice;", GuixSignatureError.Expression)]
    [InlineData("1;alice;KA", GuixSignatureError.Expression)]
    [InlineData("1;alice;KCk=", GuixSignatureError.Shape)]
    public void A_line_of_another_form_is_no_signature(string line, GuixSignatureError expected)
    {
        var head = GuixVectors.NarInfo("hello.alice.narinfo").GuixSignature!.Head;

        Assert.True(GuixSignature.TryParse($"{head}Signature: {line}", out var signature));
        Assert.False(GuixVectors.Key("alice").Verify(signature, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_valid_signature_of_other_fields_than_the_narinfo_has_is_none_of_it()
    {
        var narInfo = GuixVectors.NarInfo("hello.alice.narinfo");

        Assert.NotNull(GuixVectors.Key("alice").FindSignature(narInfo));
        Assert.Null(GuixVectors.Key("alice").FindSignature(narInfo with { NarSize = narInfo.NarSize + 1 }));
        Assert.Null(GuixVectors.Key("alice").FindSignature(narInfo with { GuixSignature = null }));
    }

    [Fact]
    public void Our_own_key_is_derived_and_signs_the_same_bytes_each_time()
    {
        var nix = NixSecretKey.FromSeed("ours-1", new byte[32]);
        var (one, two) = (GuixSecretKey.Of(nix), GuixSecretKey.Of(nix));
        var narInfo = GuixVectors.NarInfo("hello.alice.narinfo");

        var signature = one.Sign(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References);

        Assert.Equal(signature, two.Sign(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References));
        Assert.Equal(one.PublicKey, two.PublicKey);
        Assert.True(one.PublicKey.Verify(signature, out _));
        Assert.Equal(narInfo.Fingerprint, signature.Fingerprint);
        Assert.StartsWith("1;trustix-proxy;", signature.Line, StringComparison.Ordinal);
        Assert.NotEqual(one.PublicKey, GuixSecretKey.Of(NixSecretKey.Generate("ours-1")).PublicKey);
        Assert.StartsWith("(public-key (ecc (curve \"NIST P-256\") (q #04", one.PublicKey.ToString(), StringComparison.Ordinal);
    }
}
