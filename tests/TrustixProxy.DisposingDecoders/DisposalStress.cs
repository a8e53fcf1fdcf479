using System.Diagnostics;
using TrustixProxy.Native;

namespace TrustixProxy.DisposingDecoders;

/// <summary>Starts a decoder on another thread and disposes it after a random time; every second one through its stream.</summary>
internal sealed class DisposalStress(Random random)
{
    private const int LongestWait = 300; // microseconds

    private readonly (Func<Decoder> Create, byte[] Packed)[] _formats = Payload.PackAll(random);
    private readonly byte[] _output = new byte[64 << 10];
    private int _calls; // odd while a call runs

    public int Disposals { get; private set; }

    /// <summary>How many disposals began and ended while one and the same native call ran.</summary>
    public int Inside { get; private set; }

    public async Task DisposeOnceAsync()
    {
        var (create, packed) = _formats[Disposals / 2 % _formats.Length];
        var wait = TimeSpan.FromMicroseconds(random.Next(LongestWait));
        await (Disposals % 2 is 0 ? DisposeDecoderAsync(create(), packed, wait) : DisposeStreamAsync(create(), packed, wait));
        Disposals++;
    }

    private async Task DisposeDecoderAsync(Decoder decoder, byte[] packed, TimeSpan wait)
    {
        using var started = new ManualResetEventSlim();
        var decoding = Task.Run(() => Decode(decoder, packed, started));

        started.Wait();
        Spin(wait);
        var before = Volatile.Read(ref _calls);
        decoder.Dispose();
        if (before % 2 is 1 && Volatile.Read(ref _calls) == before)
        {
            Inside++;
        }

        await decoding;
    }

    /// <summary>Decodes the same bytes again and again, until the decoder is disposed.</summary>
    private void Decode(Decoder decoder, byte[] packed, ManualResetEventSlim started)
    {
        try
        {
            decoder.Restart();
            for (var start = 0; start < packed.Length;)
            {
                if (DecodeSome(decoder, packed, ref start, started) is DecodeStatus.End && decoder is not BrotliNarDecoder)
                {
                    decoder.Restart();
                    start %= packed.Length;
                }
            }
        }
        catch (ObjectDisposedException)
        {
            // what a caller sees that comes too late
        }
    }

    private DecodeStatus DecodeSome(Decoder decoder, byte[] packed, ref int start, ManualResetEventSlim started)
    {
        Interlocked.Increment(ref _calls);
        started.Set();
        try
        {
            var status = decoder.Decode(packed.AsSpan(start), _output, out var consumed, out _);
            start += consumed;
            return status;
        }
        finally
        {
            Interlocked.Increment(ref _calls);
        }
    }

    private async Task DisposeStreamAsync(Decoder decoder, byte[] packed, TimeSpan wait)
    {
        var stream = new DecodingStream(new MemoryStream(packed), decoder);
        using var started = new ManualResetEventSlim();
        var reading = Task.Run(async () =>
        {
            started.Set();
            try
            {
                while (await stream.ReadAsync(_output) > 0)
                {
                }
            }
            catch (ObjectDisposedException)
            {
            }
        });

        started.Wait();
        Spin(wait);
        await stream.DisposeAsync();
        await reading;
    }

    private static void Spin(TimeSpan wait)
    {
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < wait;)
        {
            Thread.SpinWait(20);
        }
    }
}
