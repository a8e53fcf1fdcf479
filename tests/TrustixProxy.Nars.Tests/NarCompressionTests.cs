using TrustixProxy.Nars;
using TrustixProxy.Testing;

namespace TrustixProxy.Nars.Tests;

/// <summary>Compressions are recognized as Nix recognizes them, whatever they are called.</summary>
public sealed class NarCompressionTests
{
    private static readonly TestOutput Output = TestOutput.Make();

    [Theory]
    [InlineData("xz", "zstd")]
    [InlineData("zstd", "gzip")]
    [InlineData("bzip2", "xz")]
    [InlineData("gzip", "lzip")]
    [InlineData("none", "xz")]
    [InlineData("lz4", "lz4")]
    [InlineData("lzma", "lzma")]
    [InlineData("lzma", "nonsense")]
    public async Task A_file_is_decompressed_by_its_first_bytes(string format, string name)
    {
        Assert.Equal(Output.Nar, await ReadAsync(NarCompression.Open(name, new MemoryStream(Output.File(format)))));
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("gzip")]
    public async Task A_file_that_was_compressed_twice_is_decompressed_twice(string format)
    {
        var twice = TestOutput.Compress(format, Output.File(format));
        var thrice = TestOutput.Compress(format, twice);

        Assert.Equal(Output.Nar, await ReadAsync(NarCompression.Open(format, new MemoryStream(twice))));
        Assert.Equal(Output.File(format), await ReadAsync(NarCompression.OpenEncoded(format, new MemoryStream(twice))));
        Assert.Equal(Output.File(format), await ReadAsync(NarCompression.Open(format, new MemoryStream(thrice)))); // and that is no NAR
    }

    [Fact]
    public async Task A_file_that_begins_like_no_known_format_is_damaged()
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => ReadAsync(NarCompression.Open("xz", new MemoryStream("<html>"u8.ToArray()))));
        await Assert.ThrowsAsync<InvalidDataException>(() => ReadAsync(NarCompression.Open("xz", new MemoryStream())));
    }

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip", "x-gzip")]
    [InlineData("gzip", " GZIP ")]
    [InlineData("gzip", "identity", "gzip")]
    [InlineData("none", "identity")]
    [InlineData("none", "")]
    [InlineData("none")]
    [InlineData(null, "nonsense")]
    [InlineData(null, "gzip", "br")]
    public void A_content_encoding_is_known_in_every_spelling(string? expected, params string[] encodings) =>
        Assert.Equal(expected, NarCompression.OfContentEncoding(encodings));

    private static async Task<byte[]> ReadAsync(Stream stream)
    {
        await using var owned = stream;
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
