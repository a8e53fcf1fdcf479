using System.Security.Cryptography;

namespace TrustixProxy.Native.Tests;

public sealed class DecodingStreamTests
{
    private static readonly byte[] Plain = [.. RandomNumberGenerator.GetBytes(100_000), .. new byte[200_000]];

    public static TheoryData<string> Tools() => new() { "xz", "zstd", "bzip2", "gzip", "lz4", "lzip" };

    [Theory]
    [MemberData(nameof(Tools))]
    public async Task What_the_systems_tool_packs_comes_out_however_it_is_cut(string tool)
    {
        var packed = Packer.Pack(tool, Plain);
        foreach (var cut in new[] { 1, 7, 1000, int.MaxValue })
        {
            Assert.Equal(Plain, await UnpackAsync(tool, packed, cut));
        }
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public async Task Nothing_is_nothing_and_streams_may_follow_each_other(string tool)
    {
        var nothing = await UnpackAsync(tool, Packer.Pack(tool, []));
        var twice = await UnpackAsync(tool, [.. Packer.Pack(tool, Plain), .. Packer.Pack(tool, Plain)]);

        Assert.Empty(nothing);
        Assert.Equal(Plain.Concat(Plain), twice);
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public async Task A_stream_that_ends_early_is_damaged_and_does_not_end_in_silence(string tool)
    {
        var packed = Packer.Pack(tool, Plain);
        foreach (var length in new[] { 1, 10, packed.Length / 2, packed.Length - 1 })
        {
            await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(tool, packed[..length]));
        }
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public async Task Other_bytes_are_damaged(string tool)
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(tool, Plain));
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("zstd")]
    public async Task Bytes_behind_the_end_of_xz_and_zstd_are_damaged(string tool)
    {
        await Assert.ThrowsAsync<InvalidDataException>(
            () => UnpackAsync(tool, [.. Packer.Pack(tool, Plain), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    }

    [Theory]
    [InlineData("bzip2")]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("lz4")]
    [InlineData("lzma")]
    [InlineData("lzip")]
    public async Task Bytes_behind_the_end_of_other_formats_are_ignored_as_nix_ignores_them(string tool)
    {
        var packed = Packer.Pack(tool, Plain);
        foreach (var behind in new byte[][] { [0], new byte[10_240], [.. "words behind it"u8], packed[..3], new byte[900_000] })
        {
            foreach (var cut in new[] { 7, int.MaxValue })
            {
                Assert.Equal(Plain, await UnpackAsync(tool, [.. packed, .. behind], cut));
            }
        }

        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(tool, [.. packed, .. new byte[3 << 20]]));
    }

    [Theory]
    [InlineData("br")]
    [InlineData("lzma")]
    public async Task A_format_of_one_stream_is_read_to_its_end(string tool)
    {
        var packed = Packer.Pack(tool, Plain);

        Assert.Equal(Plain, await UnpackAsync(tool, packed, 997));
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(tool, packed[..^1]));
    }

    [Theory]
    [InlineData("-B4", "-BD")]
    [InlineData("-B7", "-BD")]
    [InlineData("-B7", "-BI")]
    [InlineData("-BX", "-12")]
    [InlineData("--content-size", "--no-frame-crc")]
    public async Task Every_kind_of_lz4_frame_is_unpacked(params string[] options)
    {
        byte[] plain = [.. Plain, .. Plain[..80_000], .. Enumerable.Range(0, 9_000_000).Select(i => unchecked((byte)((i * i) >> 9)))];

        Assert.Equal(plain, await UnpackAsync("lz4", Packer.PackWithTool("lz4", plain, options), 1000));
    }

    /// <remarks>Half of the bytes are changed, so that some inputs pass the header and reach every field behind it.</remarks>
    [Fact]
    public async Task Damaged_lz4_ends_as_damaged_or_as_other_bytes_and_nothing_else()
    {
        var random = new Random(17);
        var packed = Packer.Pack("lz4", Plain[50_000..150_000]);
        for (var i = 0; i < 2000; i++)
        {
            byte[] damaged = [.. packed];
            for (var j = random.Next(1, 20); j > 0; j--)
            {
                damaged[random.Next(random.Next(2) is 0 ? 40 : damaged.Length)] = (byte)random.Next(256);
            }

            _ = await Record.ExceptionAsync(() => UnpackAsync("lz4", damaged)) is null or InvalidDataException ? 0
                : throw new InvalidOperationException($"Round {i} failed in another way.");
        }
    }

    [Fact]
    public async Task A_window_of_more_than_128_mebibytes_is_refused()
    {
        Assert.Empty(await UnpackAsync("zstd", ZstdWithWindow(27)));
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync("zstd", ZstdWithWindow(28)));
    }

    private static async Task<byte[]> UnpackAsync(string tool, byte[] packed, int cut = int.MaxValue)
    {
        await using var stream = new DecodingStream(new CutStream(packed, cut), Packer.DecoderOf(tool));
        using var plain = new MemoryStream();
        await stream.CopyToAsync(plain);
        return plain.ToArray();
    }

    /// <summary>A frame without content whose header asks for a window of 2^log bytes (RFC 8878, section 3.1.1.1.2).</summary>
    private static byte[] ZstdWithWindow(int log) => [0x28, 0xb5, 0x2f, 0xfd, 0x00, (byte)((log - 10) << 3), 0x01, 0x00, 0x00];

    /// <summary>Gives at most so many bytes at once.</summary>
    private sealed class CutStream(byte[] bytes, int cut) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(cut, buffer.Length)], cancellationToken);
    }
}
