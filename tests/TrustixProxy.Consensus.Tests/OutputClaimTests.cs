using System.Text;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

public sealed class OutputClaimTests
{
    private const string Good = """{"path":"/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src","narHash":"sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=","narSize":123,"references":["/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-b","/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-a"]}""";

    [Fact]
    public void What_the_reference_hook_writes_is_the_text_that_nix_signs() => Assert.Equal(
        "1;/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src;sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s;123;"
        + "/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-a,/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-b",
        Read(Good).Fingerprint);

    [Theory]
    [InlineData("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s")]
    [InlineData(
        "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("\"references\":[\"/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-b\",",
        "\"references\":[\"/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-a\",\"/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-b\",")]
    [InlineData("{\"path\"", "{ \"deriver\" : null , \"signatures\" : [{\"a\":1}], \"path\"")]
    [InlineData("/nix/store/g3m", "\\/nix\\u002fstore/g3m")]
    public void Another_spelling_is_the_same_vote(string text, string instead) =>
        Assert.Equal(Read(Good), Read(Good.Replace(text, instead, StringComparison.Ordinal)));

    [Fact]
    public void A_fingerprint_is_read_only_in_the_spelling_that_nix_signs()
    {
        var good = Read(Good);
        var text = good.Fingerprint;
        string[] bad =
        [
            "", text + "\n", text + ",", text + ";", text[..^1], "2" + text[1..], text.Replace(";123;", ";0123;", StringComparison.Ordinal),
            text.Replace(";123;", ";0;", StringComparison.Ordinal), text.Replace(";123;", ";-1;", StringComparison.Ordinal),
            text.Replace("sha256:", "sha1:", StringComparison.Ordinal), text.Replace("sha256:1", "sha256:Z", StringComparison.Ordinal),
            text.Replace(good.NarHash.ToString(), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", StringComparison.Ordinal),
            text.Replace(";/nix/store/g", ";g", StringComparison.Ordinal),
            string.Join(';', text.Split(';')[..4]) + ";" + string.Join(',', good.References.Reverse().Select(path => path.Absolute)),
            text + "," + good.References[1].Absolute,
        ];

        Assert.True(OutputClaim.TryReadFingerprint(Encoding.ASCII.GetBytes(text), good.Path, out var claim, out _));
        Assert.Equal(good, claim);
        Assert.False(OutputClaim.TryReadFingerprint(Encoding.ASCII.GetBytes(text), good.References[0], out _, out var error));
        Assert.Equal(OutputClaimError.OtherPath, error);
        Assert.All(bad, wrong =>
            Assert.False(OutputClaim.TryReadFingerprint(Encoding.ASCII.GetBytes(wrong), good.Path, out _, out _), wrong));
    }

    [Fact]
    public void Null_and_no_references_are_the_same() => Assert.Equal(
        Read("""{"path":"/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src","narHash":"sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=","narSize":1,"references":null}"""),
        Read("""{"path":"/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src","narHash":"sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=","narSize":1,"references":[]}"""));

    [Theory]
    [InlineData("123", "124")]
    [InlineData("ungWv48B", "ungWv48C")]
    [InlineData(",\"/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-a\"", "")]
    public void What_nix_signs_makes_another_vote(string text, string instead) =>
        Assert.NotEqual(Read(Good), Read(Good.Replace(text, instead, StringComparison.Ordinal)));

    [Theory]
    [InlineData("", "", OutputClaimError.Json)]
    [InlineData(Good, "", OutputClaimError.Json)]
    [InlineData(Good, "[]", OutputClaimError.Json)]
    [InlineData(Good, "null", OutputClaimError.Json)]
    [InlineData("}", "} x", OutputClaimError.Json)]
    [InlineData("}", ",}", OutputClaimError.Json)]
    [InlineData("\"path\":", "\"x\":\"\\ud800\",\"path\":", OutputClaimError.None)]
    [InlineData("/nix/store/g3m", "\\ud800", OutputClaimError.Json)]
    [InlineData("{", "{\"narSize\":123,", OutputClaimError.DuplicateMember)]
    [InlineData("{", "{\"x\":1,\"x\":1,", OutputClaimError.DuplicateMember)]
    [InlineData("{", "{\"pa\\u0074h\":\"/nix/store/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src\",", OutputClaimError.DuplicateMember)]
    [InlineData("\"path\"", "\"Path\"", OutputClaimError.Path)]
    [InlineData("/nix/store/g3m", "g3m", OutputClaimError.Path)]
    [InlineData("-src", "-other", OutputClaimError.OtherPath)]
    [InlineData("narHash\"", "narhash\"", OutputClaimError.NarHash)]
    [InlineData("sha256-ung", "sha512-ung", OutputClaimError.NarHash)]
    [InlineData("\"sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\"", "null", OutputClaimError.NarHash)]
    [InlineData("123", "0", OutputClaimError.NarSize)]
    [InlineData("123", "-1", OutputClaimError.NarSize)]
    [InlineData("123", "1.5", OutputClaimError.NarSize)]
    [InlineData("123", "\"123\"", OutputClaimError.NarSize)]
    [InlineData("123", "9223372036854775808", OutputClaimError.NarSize)]
    [InlineData("references", "refs", OutputClaimError.References)]
    [InlineData("[\"/nix/store/syd", "[\"syd", OutputClaimError.References)]
    [InlineData("[\"/nix/store/syd", "[1,\"/nix/store/syd", OutputClaimError.References)]
    public void Anything_else_is_no_claim_for_its_own_reason(string text, string instead, OutputClaimError expected)
    {
        var json = text.Length is 0 ? "{" : text is "}" ? Good[..^1] + instead : text is "{" ? instead + Good[1..]
            : Good.Replace(text, instead, StringComparison.Ordinal);

        Assert.Equal(expected is OutputClaimError.None, TryRead(json, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void Nesting_without_end_is_refused() =>
        Assert.False(TryRead($$"""{"x":{{new string('[', 100_000)}}""", out _, out _));

    [Fact]
    public void Bytes_are_hashed_before_they_are_read()
    {
        Assert.False(OutputClaim.TryRead(Proven(Good), Encoding.UTF8.GetBytes(Good + " "), TestPath, out _, out var error));
        Assert.Equal(OutputClaimError.Digest, error);
    }

    [Fact]
    public void The_two_key_forms_are_those_of_the_reference()
    {
        var path = PathOf("62isaw6prfn3n8l5v6jydfiagr8f7ykx-x");
        var proxy = Elector("e") with { KeyForm = LogKeyForm.ReferenceProxy };

        Assert.Equal("/nix/store/62isaw6prfn3n8l5v6jydfiagr8f7ykx-x", Encoding.ASCII.GetString(Elector("e").KeyOf(path)));
        Assert.Equal(path.Digest.ToBytes().Reverse(), proxy.KeyOf(path));
        Assert.StartsWith("30A3A5", Convert.ToHexString(proxy.KeyOf(path)), StringComparison.Ordinal);
    }

    private static OutputClaim Read(string json) =>
        TryRead(json, out var claim, out var error) ? claim! : throw new FormatException(error.ToString());

    private static bool TryRead(string json, out OutputClaim? claim, out OutputClaimError error) =>
        OutputClaim.TryRead(Proven(json), Encoding.UTF8.GetBytes(json), TestPath, out claim, out error);

    /// <summary>A real proof, through the real doors, that a log holds this value.</summary>
    private static ProvenDigest Proven(string value)
    {
        var (key, entry) = ("key"u8.ToArray(), new MapEntry(Digest.Of(Encoding.UTF8.GetBytes(value)), 0));
        var root = MerkleHash.MapLeaf(Digest.Of(key), Digest.Of(entry.ToBytes()));
        var head = new LogSigner(new byte[32])
            .Sign(new TreeHead(MerkleHash.LogLeaf(key, entry.ValueDigest), 1, root, MerkleHash.MapHeadLeaf(root), 1));
        return new MapProof([], null).TryVerify(head, key, entry.ToBytes(), out var proven, out var error) ? proven
            : throw new InvalidOperationException(error.ToString());
    }
}
