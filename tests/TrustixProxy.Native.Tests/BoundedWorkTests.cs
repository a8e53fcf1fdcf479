using System.Security.Cryptography;

namespace TrustixProxy.Native.Tests;

/// <summary>Input that yields no output ends soon, and ends at once when nobody wants it any more.</summary>
public sealed class BoundedWorkTests
{
    /// <summary>What may have been read ahead when the bound is noticed.</summary>
    private const int Slack = 64 << 10;

    /// <summary>Format, first bytes, and bytes that follow again and again.</summary>
    public static TheoryData<string, byte[], byte[]> Endless() => new()
    {
        { "xz", [], Packer.Pack("xz", []) },
        { "zstd", [], Packer.Pack("zstd", []) },
        { "bzip2", [], Packer.Pack("bzip2", []) },
        { "gzip", [], Packer.Pack("gzip", []) },
        { "zstd", [], [0x50, 0x2a, 0x4d, 0x18, 0x04, 0, 0, 0, 1, 2, 3, 4] }, // skippable frames
        { "zstd", [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00], [0, 0, 0] }, // empty blocks of one frame
        { "gzip", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], [0, 0, 0, 0xff, 0xff] }, // empty stored blocks of one member
        { "br", [0x0c], [0x06] }, // empty metadata blocks
        { "xz", Packer.Pack("xz", [1]), [0, 0, 0, 0] }, // stream padding
        { "gzip", Packer.Pack("gzip", [1]), [0] },
        { "bzip2", Packer.Pack("bzip2", [1]), [1] }, // what is ignored behind the last stream
        { "br", Packer.Pack("br", [1]), [1] },
        { "lzma", Packer.Pack("lzma", [1]), [1] },
        { "lz4", [], Packer.Pack("lz4", []) },
        { "lzip", [], Packer.Pack("lzip", []) },
    };

    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Endless_input_without_output_is_refused_after_a_mebibyte(string format, byte[] first, byte[] again)
    {
        await using var source = new RepeatingStream(first, again);
        await using var stream = new DecodingStream(source, Packer.DecoderOf(format));

        await Assert.ThrowsAsync<InvalidDataException>(() => stream.CopyToAsync(Stream.Null));

        Assert.InRange(source.Given, DecodingStream.MaxDebt - Slack, DecodingStream.MaxDebt + Slack);
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    [InlineData("gzip")]
    public async Task A_byte_now_and_then_does_not_buy_endless_work(string format)
    {
        var row = Enumerable.Repeat(Packer.Pack(format, []), 1000).Append(Packer.Pack(format, [1])).SelectMany(stream => stream);
        await using var source = new RepeatingStream([], [.. row]);
        await using var stream = new DecodingStream(source, Packer.DecoderOf(format));

        await Assert.ThrowsAsync<InvalidDataException>(() => stream.CopyToAsync(Stream.Null));

        Assert.InRange(source.Given, DecodingStream.MaxDebt - Slack, 2 * DecodingStream.MaxDebt);
    }

    [Theory]
    [MemberData(nameof(Packer.Formats), MemberType = typeof(Packer))]
    public async Task Bytes_that_do_not_compress_are_within_the_bound(string format)
    {
        var plain = RandomNumberGenerator.GetBytes(3 << 20);
        await using var stream = new DecodingStream(new MemoryStream(Packer.Pack(format, plain)), Packer.DecoderOf(format));
        using var unpacked = new MemoryStream();

        await stream.CopyToAsync(unpacked);

        Assert.Equal(plain, unpacked.ToArray());
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    [InlineData("gzip")]
    public async Task Work_without_output_ends_when_it_is_cancelled(string format)
    {
        using var cancellation = new CancellationTokenSource();
        await using var source = new RepeatingStream([], Packer.Pack(format, [])) { OnRead = cancellation.Cancel };
        await using var stream = new DecodingStream(source, Packer.DecoderOf(format));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.ReadExactlyAsync(new byte[10], cancellation.Token).AsTask());

        Assert.Equal(1, source.Reads);
    }

    [Theory]
    [InlineData("xz", 8)]
    [InlineData("xz", 4)]
    public async Task Padding_behind_a_stream_is_legal(string format, int zeros)
    {
        byte[] packed = [.. Packer.Pack(format, [1, 2]), .. new byte[zeros], .. Packer.Pack(format, [3]), .. new byte[zeros]];

        Assert.Equal([1, 2, 3], await UnpackAsync(format, packed));
    }

    [Theory]
    [InlineData("xz", 3)]
    [InlineData("zstd", 4)]
    public async Task Other_padding_is_damage(string format, int zeros)
    {
        var packed = Packer.Pack(format, [1, 2]);

        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(format, [.. packed, .. new byte[zeros]]));
        await Assert.ThrowsAsync<InvalidDataException>(() => UnpackAsync(format, [.. packed, .. new byte[zeros], .. packed]));
    }

    [Fact]
    public async Task Skippable_frames_are_skipped()
    {
        byte[] frame = [0x5f, 0x2a, 0x4d, 0x18, 0x00, 0x00, 0x02, 0x00, .. new byte[0x20000]];

        Assert.Equal(
            [1, 2], await UnpackAsync("zstd", [.. frame, .. Packer.Pack("zstd", [1]), .. frame, .. Packer.Pack("zstd", [2]), .. frame]));
    }

    private static async Task<byte[]> UnpackAsync(string format, byte[] packed)
    {
        await using var stream = new DecodingStream(new MemoryStream(packed), Packer.DecoderOf(format));
        using var unpacked = new MemoryStream();
        await stream.CopyToAsync(unpacked);
        return unpacked.ToArray();
    }

    /// <summary>Gives some bytes, then others again and again, and never waits.</summary>
    private sealed class RepeatingStream(byte[] first, byte[] again) : MemoryStream
    {
        public long Given { get; private set; }

        public int Reads { get; private set; }

        public Action OnRead { get; init; } = () => { };

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Reads++;
            foreach (ref var next in buffer.Span)
            {
                next = Given < first.Length ? first[Given] : again[(Given - first.Length) % again.Length];
                Given++;
            }

            OnRead();
            return ValueTask.FromResult(buffer.Length);
        }
    }
}
