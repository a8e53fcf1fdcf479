using System.Diagnostics;
using System.Globalization;

namespace TrustixProxy.Native.Tests;

/// <summary>Disposing a decoder frees its native state only when no call uses it.</summary>
public sealed class DisposalTests
{
    private const int Disposals = 10_000, Inside = 1_000;

    [Theory]
    [MemberData(nameof(Packer.Formats), MemberType = typeof(Packer))]
    public async Task A_decoder_that_is_disposed_during_a_call_finishes_the_call(string format)
    {
        var plain = Enumerable.Range(0, 1 << 20).Select(i => (byte)((long)i * i / 7 % 251)).ToArray();
        var packed = Packer.Pack(format, plain);
        for (var round = 0; round < 50; round++)
        {
            using var decoder = Packer.DecoderOf(format);
            using var started = new ManualResetEventSlim();
            var decoding = Task.Run(() => Decode(decoder, packed, started));

            started.Wait();
            decoder.Dispose();

            var decoded = await decoding;
            Assert.True(plain.AsSpan(0, decoded.Length).SequenceEqual(decoded), "The bytes before the disposal are wrong.");
            Assert.Throws<ObjectDisposedException>(() => decoder.Decode(packed, new byte[1], out _, out _));
            Assert.Throws<ObjectDisposedException>(decoder.Restart);
        }
    }

    [Fact]
    public async Task Ten_thousand_disposals_under_the_checks_of_the_heap_abort_nothing()
    {
        var seed = Random.Shared.Next();
        var program = Path.Combine(AppContext.BaseDirectory, "TrustixProxy.DisposingDecoders.dll");
        var start = new ProcessStartInfo("dotnet", [program, $"{Disposals}", $"{Inside}", seed.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LD_PRELOAD"] = "libc_malloc_debug.so.0";
        start.Environment["MALLOC_CHECK_"] = "3";

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode is 0, $"Seed {seed}: exit code {process.ExitCode}. {output} {await errors}");
        Assert.InRange(NumberAfter("disposed ", output), Disposals, int.MaxValue);
        Assert.InRange(NumberAfter("inside ", output), Inside, int.MaxValue);
    }

    /// <summary>Decodes until the end, or until the decoder is disposed.</summary>
    private static byte[] Decode(Decoder decoder, byte[] packed, ManualResetEventSlim started)
    {
        using var decoded = new MemoryStream();
        var output = new byte[64 << 10];
        try
        {
            decoder.Restart();
            for (var (at, status) = (0, DecodeStatus.More); status is DecodeStatus.More;)
            {
                started.Set();
                status = decoder.Decode(packed.AsSpan(at), output, out var consumed, out var written);
                at += consumed;
                decoded.Write(output, 0, written);
            }
        }
        catch (ObjectDisposedException)
        {
            // disposed between two calls
        }

        return decoded.ToArray();
    }

    private static int NumberAfter(string word, string output) =>
        int.Parse(output.Split('\n').Single(line => line.StartsWith(word, StringComparison.Ordinal))[word.Length..],
            CultureInfo.InvariantCulture);
}
