using System.Text;

namespace TrustixProxy.Nix.Tests;

/// <summary>Build traces in both forms: <c>realisations</c> of Nix up to 2.34, and <c>build-trace-v2</c> of 2.35.</summary>
public sealed class BuildTraceTests
{
    private const string Hash = "sha256:4ef2eb79caed8101898542afdbc991f969d915773ece52dbf3b6cfa78fa08d92",
        OldAddress = $"realisations/{Hash}!out.doi", OutPath = "hyhrnrnpsz9fw5p9dk85a58y31ink18c-test",
        NewAddress = "build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv/foo.doi",
        NewOutPath = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar-foo";

    private static readonly NixSecretKey Key = NixSecretKey.Generate("cache-1");

    [Theory]
    [InlineData(OldAddress, $"{Hash}!out")]
    [InlineData($"realisations/{Hash}!a.b-c_d.doi", $"{Hash}!a.b-c_d")]
    [InlineData(NewAddress, "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv^foo")]
    public void An_address_is_read_and_written_back(string address, string text)
    {
        Assert.True(TraceKey.TryParse(address, out var key));
        Assert.Equal((text, address), (key.Text, key.Address));
    }

    [Fact]
    public void A_question_mark_is_escaped_in_the_address_that_is_asked_for() => Assert.Equal(
        "build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-a%3Fb.drv/o%3F.doi",
        KeyOf("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-a?b.drv/o?.doi").Address);

    [Theory]
    [InlineData("")]
    [InlineData(".doi")]
    [InlineData("realisations/.doi")]
    [InlineData("realisations/sha256:abc!out.doi")]
    [InlineData($"realisations/{Hash}.doi")]
    [InlineData($"realisations/{Hash}!.doi")]
    [InlineData($"realisations/{Hash}!out")]
    [InlineData($"realisations/{Hash}!o/../t.doi")]
    [InlineData($"realisations/{Hash}!...doi")]
    [InlineData($"realisations/{Hash}!out!out.doi")]
    [InlineData($"realisations/{Hash}!o\"t.doi")]
    [InlineData($"/{OldAddress}")]
    [InlineData("realisations/sha512:4ef2eb79caed8101898542afdbc991f969d915773ece52dbf3b6cfa78fa08d92!out.doi")]
    [InlineData("realisations/sha256:4EF2eb79caed8101898542afdbc991f969d915773ece52dbf3b6cfa78fa08d92!out.doi")]
    [InlineData("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar/foo.doi")]
    [InlineData("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-.drv/foo.doi")]
    [InlineData("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv/.doi")]
    [InlineData("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv/x/foo.doi")]
    [InlineData("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv/...doi")]
    [InlineData("build-trace-v2/../g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv/foo.doi")]
    public void Anything_else_is_no_address(string address) => Assert.False(TraceKey.TryParse(address, out _));

    /// <summary>The text of Nix's own test data for 2.35, <c>realisation/with-signature-fingerprint.txt</c>, with the name that a
    /// derivation of that name can have.</summary>
    [Fact]
    public void The_signed_text_of_a_derivation_is_nixs()
    {
        Assert.True(BuildTrace.TryParse(KeyOf(NewAddress), Json($$"""{"outPath":"{{NewOutPath}}","signatures":[]}"""), out var trace));
        Assert.Equal("""{"key":{"drvPath":"g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv","outputName":"foo"},"value":{"outPath":"g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar-foo"}}""",
            trace.Fingerprint);
    }

    [Fact]
    public void The_signed_text_of_a_hash_has_the_other_outputs_in_byte_order()
    {
        var other = Hash.Replace('4', '0');
        var json = $$"""
            { "id": "{{Hash}}!out", "signatures": [], "outPath": "{{OutPath}}",
              "dependentRealisations": { "{{Hash}}!dev": "{{OutPath}}-dev", "{{other}}!out": "{{OutPath}}-x" } }
            """;

        Assert.True(BuildTrace.TryParse(KeyOf(OldAddress), Json(json), out var trace));
        Assert.Equal(
            $$"""{"dependentRealisations":{"{{other}}!out":"{{OutPath}}-x","{{Hash}}!dev":"{{OutPath}}-dev"},"id":"{{Hash}}!out","outPath":"{{OutPath}}"}""",
            trace.Fingerprint);
    }

    [Theory]
    [InlineData(OldAddress, OutPath)]
    [InlineData(NewAddress, NewOutPath)]
    public void What_is_written_is_read_back_with_one_valid_signature(string address, string outPath)
    {
        var key = KeyOf(address);

        Assert.True(BuildTrace.TryParse(key, Json(BuildTrace.Write(key, PathOf(outPath), Key)), out var trace));

        Assert.Equal(PathOf(outPath), trace.OutPath);
        Assert.True(Key.PublicKey.Verify(trace.Fingerprint, Assert.Single(trace.Signatures)));
    }

    [Fact]
    public void Signatures_come_as_texts_and_as_objects_and_malformed_ones_are_left_out()
    {
        var zeros = Convert.ToBase64String(new byte[64]);
        var json = $$"""
            {"outPath":"{{NewOutPath}}","signatures":["a:{{zeros}}",{"keyName":"b","sig":"{{zeros}}"},"c:AAAA",7,null,{"keyName":"d"},["e"]]}
            """;

        Assert.True(BuildTrace.TryParse(KeyOf(NewAddress), Json(json), out var trace));
        Assert.Equal(["a", "b"], trace.Signatures.Select(signature => signature.KeyName));
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html>")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"outPath":"OUT"}""")]
    [InlineData("""{"outPath":"OUT","signatures":{}}""")]
    [InlineData("""{"outPath":"OUT","signatures":[],"outPath":"OUT"}""")]
    [InlineData("""{"outPath":"OUT","signatures":[],"signatures":[]}""")]
    [InlineData("""{"outPath":"OUT","signatures":[{"keyName":"a","keyName":"b","sig":"x"}]}""")]
    [InlineData("""{"outPath":"/nix/store/OUT","signatures":[]}""")]
    [InlineData("""{"outPath":7,"signatures":[]}""")]
    [InlineData("""{"outPath":"\ud800","signatures":[]}""")]
    [InlineData("""{"outPath":"OUT","signatures":[[[[[[[[[]]]]]]]]]}""")]
    [InlineData("""{"outPath":"OUT","signatures":[]} x""")]
    public void Anything_else_is_no_trace(string json) =>
        Assert.False(BuildTrace.TryParse(KeyOf(NewAddress), Json(json.Replace("OUT", NewOutPath, StringComparison.Ordinal)), out _));

    [Theory]
    [InlineData("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar")]
    [InlineData("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-foo")]
    [InlineData("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar-foo.drv")]
    public void The_output_of_a_derivation_bears_its_name(string outPath) =>
        Assert.False(BuildTrace.TryParse(KeyOf(NewAddress), Json($$"""{"outPath":"{{outPath}}","signatures":[]}"""), out _));

    [Theory]
    [InlineData("""{"id":"OTHER","outPath":"OUT","signatures":[]}""")]
    [InlineData("""{"outPath":"OUT","signatures":[]}""")]
    [InlineData("""{"id":"ID","id":"ID","outPath":"OUT","signatures":[]}""")]
    [InlineData("""{"id":"ID","outPath":"OUT","signatures":[],"dependentRealisations":[]}""")]
    [InlineData("""{"id":"ID","outPath":"OUT","signatures":[],"dependentRealisations":{"x":"OUT"}}""")]
    [InlineData("""{"id":"ID","outPath":"OUT","signatures":[],"dependentRealisations":{"ID":"x"}}""")]
    [InlineData("""{"id":"ID","outPath":"OUT","signatures":[],"dependentRealisations":{"ID":"OUT","ID":"OUT"}}""")]
    public void A_trace_of_another_output_or_with_malformed_others_is_none(string json)
    {
        var text = json.Replace("OTHER", $"{Hash}!dev", StringComparison.Ordinal)
            .Replace("ID", $"{Hash}!out", StringComparison.Ordinal).Replace("OUT", OutPath, StringComparison.Ordinal);

        Assert.False(BuildTrace.TryParse(KeyOf(OldAddress), Json(text), out _));
    }

    [Fact]
    public void A_trace_that_is_too_large_is_none()
    {
        var json = Json(BuildTrace.Write(KeyOf(NewAddress), PathOf(NewOutPath), Key) + new string(' ', BuildTrace.MaxSize));

        Assert.False(BuildTrace.TryParse(KeyOf(NewAddress), json, out _));
    }

    private static TraceKey KeyOf(string address) => TraceKey.TryParse(address, out var key) ? key : throw new ArgumentException(address);

    private static StorePath PathOf(string text) =>
        StorePath.TryParse(text, out var path, out _) ? path : throw new ArgumentException(text);

    private static byte[] Json(string text) => Encoding.UTF8.GetBytes(text);
}
