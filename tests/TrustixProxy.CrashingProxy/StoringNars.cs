using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;

/// <summary>A NAR store as it is, into which NARs are written until the process kills itself (SIGKILL), or the disk is full. Prints a line
/// for each that is begun.</summary>
internal static class StoringNars
{
    private const int Writers = 8;

    /// <summary>usage: nar-store DIRECTORY STATE-DIRECTORY MAX-SIZE SEED. It kills itself within 100 ms of the first write, the seed says
    /// when.</summary>
    public static void Run(string directory, string state, long maxSize, int seed)
    {
        var (time, random) = (TimeProvider.System, new Random(seed));
        var known = new KnownFiles(new StateWriter(state), new RecordSeal(NixSecretKey.Generate("crash"), []), null, time);
        var store = new NarStore(new NarStoreOptions(directory, maxSize, ["pinned-*"]), known, time, NullLogger.Instance);
        store.Start();
        store.Loaded.Wait();
        Write(store, new Random(seed), 200_000);
        var life = TimeSpan.FromMilliseconds(random.NextDouble() * 100);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Writers; i++)
        {
            var own = new Random(seed + (i * 1000));
            new Thread(() =>
            {
                while (true)
                {
                    Write(store, own, 200_000);
                }
            })
            { IsBackground = true }.Start();
        }

        while (Stopwatch.GetElapsedTime(start) < life)
        {
            Thread.SpinWait(100);
        }

        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
    }

    /// <summary>Stores a NAR of random contents; false when it is not begun.</summary>
    public static bool Write(NarStore store, Random random, int maxSize)
    {
        using var packed = new MemoryStream();
        var contents = new byte[random.Next(1, maxSize)];
        random.NextBytes(contents);
        new NarWriter(packed).File(contents, executable: false);
        var (nar, isPinned, isCompressed) = (packed.ToArray(), random.Next(20) is 0, random.Next(2) is 0);
        var file = isCompressed ? Compress(nar) : nar;
        var digest = Nix32.Encode(SHA256.HashData(contents).AsSpan(0, 20));
        StorePath.TryParse($"{digest}-{(isPinned ? "pinned" : "some")}-1.0", out var path, out _);
        var (narHash, fileHash) = (NixHash.Sha256(SHA256.HashData(nar)), NixHash.Sha256(SHA256.HashData(file)));
        var write = store.Begin(new StoredNar(path!, narHash, nar.Length, fileHash, isCompressed ? "gzip" : "none"), file.Length);
        if (write is null)
        {
            return false;
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file.Length}"));
        for (var offset = 0; offset < file.Length;)
        {
            var chunk = new NarChunk(offset);
            var count = Math.Min(chunk.Room.Length, file.Length - offset);
            file.AsSpan(offset, count).CopyTo(chunk.Room.Span);
            var piece = chunk.Fill(count);
            write.Append(piece);
            piece.Chunk.Drop();
            chunk.Drop();
            offset += count;
        }

        write.Complete(fileHash);
        return true;
    }

    private static byte[] Compress(byte[] nar)
    {
        using var output = new MemoryStream();
        using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(nar);
        }

        return output.ToArray();
    }
}
