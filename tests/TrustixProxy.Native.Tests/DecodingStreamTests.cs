using System.Security.Cryptography;

namespace TrustixProxy.Native.Tests;

public sealed class DecodingStreamTests
{
    private static readonly byte[] Plain = [.. RandomNumberGenerator.GetBytes(100_000), .. new byte[200_000]];

    public static TheoryData<string> Tools() => new() { "xz", "zstd", "bzip2", "gzip" };

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
    public async Task Other_bytes_and_bytes_behind_the_end_are_damaged(string tool)
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(tool, Plain));
        await Assert.ThrowsAsync<InvalidDataException>(
            () => UnpackAsync(tool, [.. Packer.Pack(tool, Plain), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    }

    [Fact]
    public async Task Brotli_is_read_to_its_end_and_no_further()
    {
        var packed = Packer.Pack("br", Plain);
        Assert.Equal(Plain, await UnpackAsync("br", packed, 997));
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync("br", packed[..^1]));
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync("br", [.. packed, 0]));
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
