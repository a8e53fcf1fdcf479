using System.Diagnostics;
using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Benchmarks;

/// <summary>A NAR of 1 GB on its way through the proxy, beside nginx's bare forwarding of the same file from the same server.</summary>
internal static class NarBenchmark
{
    private const int Rounds = 5, Size = 1_000_000_000;

    public static async Task<int> RunAsync()
    {
        if (!Tools.AreThere(("nginx", "nginx-light"), ("zstd", "zstd")))
        {
            return 2;
        }

        var figures = new Figures();
        using var state = new SeededState();
        var files = Directory.CreateDirectory(Path.Combine(state.Directory, "files", "nar")).Parent!.FullName;
        Console.WriteLine("making a NAR of 1 GB");
        var nar = await MakeAsync(files, "bench", Size);
        var small = await MakeAsync(files, "small", 1_000_000);
        var (bare, compressed) = (
            Publish(state, files, 1, "none", nar, nar), Publish(state, files, 2, "zstd", nar, Path.ChangeExtension(nar, ".zst")));
        var warmUp = Publish(state, files, 3, "zstd", small, Path.ChangeExtension(small, ".zst"));
        using var nginx = await Nginx.StartAsync(Path.Combine(state.Directory, "nginx"), files, null);

        using (var proxy = await ServeProcess.StartAsync(state, nginx.Static))
        {
            Console.WriteLine("not compressed: 1 GB on the wire");
            var (ours, theirs) = await CompareAsync(new Uri(proxy.Url, bare.Served), new Uri(nginx.Forward, bare.Path), bare.Size);
            figures.AtLeast("bytes per second over nginx proxy_pass's", Ratio(ours, theirs), Mega(ours, theirs), 0.8);
            figures.AtMost("first byte, later than nginx's by", Late(ours, theirs), "ms", 10);
            figures.AtMost("memory, at most", proxy.Measured.Memory.Most, "MB", 200);
        }

        var inProcess = Enumerable.Range(0, 3).Select(_ => DecodeAndHashAsync(Path.ChangeExtension(nar, ".zst")).GetAwaiter().GetResult())
            .ToList();
        await FirstPassAsync(state, nginx, compressed, warmUp, Figures.Median(inProcess), figures);

        using (var proxy = await ServeProcess.StartAsync(state, nginx.Static))
        {
            Console.WriteLine($"zstd, second pass: {compressed.Size / 1_000_000:N0} MB on the wire");
            var (ours, theirs) = await CompareAsync(
                new Uri(proxy.Url, compressed.Served), new Uri(nginx.Forward, compressed.Path), compressed.Size);
            figures.AtLeast("bytes per second over nginx proxy_pass's", Ratio(ours, theirs), Mega(ours, theirs), 0.9);
            figures.AtMost("first byte, later than nginx's by", Late(ours, theirs), "ms", 10);
        }

        return figures.AllMet ? 0 : 1;
    }

    /// <summary>The same file on its way while it is copied into the NAR store, and out of the store.</summary>
    public static async Task<int> RunKeptAsync()
    {
        if (!Tools.AreThere(("nginx", "nginx-light"), ("zstd", "zstd")))
        {
            return 2;
        }

        var figures = new Figures();
        using var state = new SeededState();
        var files = Directory.CreateDirectory(Path.Combine(state.Directory, "files", "nar")).Parent!.FullName;
        var (nar, small) = (await MakeAsync(files, "bench", Size), await MakeAsync(files, "small", 1_000_000));
        var (file, warmUp) = (Publish(state, files, 1, "none", nar, nar), Publish(state, files, 2, "none", small, small));
        var store = Path.Combine(state.Directory, "nars");
        using var nginx = await Nginx.StartAsync(Path.Combine(state.Directory, "nginx"), files, null);
        var (kept, plain, theirs) = (new List<Download>(), new List<Download>(), new List<Download>());
        for (var round = 0; round < Rounds; round++)
        {
            plain.Add(await FirstAsync(null));
            kept.Add(await FirstAsync(store));
            theirs.Add(await Download.RunAsync(new Uri(nginx.Forward, file.Path), file.Size));
        }

        Console.WriteLine("not compressed, 1 GB, first download");
        figures.AtLeast("bytes per second while it is copied, over not copied", Ratio(kept, plain), Mega(kept, plain), 0.8);
        using var proxy = await ServeProcess.StartAsync(state, nginx.Static, store);
        var first = await Download.RunAsync(new Uri(proxy.Url, file.Served), file.Size);
        Console.WriteLine($"first out of the store, after a start (hashed before): {first.FirstByte:N0} ms to the first byte");
        var (ours, forwarded) = await CompareAsync(new Uri(proxy.Url, file.Served), new Uri(nginx.Forward, file.Path), file.Size);
        figures.AtLeast("bytes per second out of the store over nginx proxy_pass's", Ratio(ours, forwarded), Mega(ours, forwarded), 0.8);
        return figures.AllMet ? 0 : 1;

        async Task<Download> FirstAsync(string? directory)
        {
            if (Directory.Exists(store))
            {
                Directory.Delete(store, recursive: true);
            }

            using var cold = await ServeProcess.StartAsync(state, nginx.Static, directory);
            for (var i = 0; i < 5; i++)
            {
                await Download.RunAsync(new Uri(cold.Url, warmUp.Served), warmUp.Size);
            }

            var download = await Download.RunAsync(new Uri(cold.Url, file.Served), file.Size);
            for (var patience = 0; directory is not null && patience < 100
                && Directory.EnumerateFiles(directory, ".writing-*").Any(); patience++)
            {
                await Task.Delay(100);
            }

            return download;
        }
    }

    /// <summary>Each time by a proxy that does not know the file.</summary>
    private static async Task FirstPassAsync(
        SeededState state, Nginx nginx, Published file, Published warmUp, double inProcess, Figures figures)
    {
        var (ours, theirs, memory) = (new List<Download>(), new List<Download>(), 0.0);
        for (var round = 0; round < Rounds; round++)
        {
            state.ForgetFiles();
            using var proxy = await ServeProcess.StartAsync(state, nginx.Static);
            for (var i = 0; i < 5; i++)
            {
                // another file: the code has run when it is measured
                await Download.RunAsync(new Uri(proxy.Url, warmUp.Served), warmUp.Size);
            }

            ours.Add(await Download.RunAsync(new Uri(proxy.Url, file.Served), file.Size));
            memory = Math.Max(memory, proxy.Measured.Memory.Most);
            theirs.Add(await Download.RunAsync(new Uri(nginx.Forward, file.Path), file.Size));
        }

        Console.WriteLine($"zstd, first pass: {file.Size / 1_000_000:N0} MB on the wire, 1 GB of NAR; in one process alone decoded and "
            + $"hashed at {inProcess:N0} MB/s");
        var ratio = Figures.Median(ours.Select(download => Size / 1e6 / download.Seconds)) / inProcess;
        var overNginx = Ratio(ours, theirs);
        if (overNginx >= 0.9)
        {
            figures.AtLeast("bytes per second over nginx proxy_pass's", overNginx, Mega(ours, theirs), 0.9);
        }
        else
        {
            figures.AtLeast("bytes of NAR per second over that", ratio, Mega(ours, theirs), 0.8);
        }

        figures.AtMost("first byte, later than nginx's by", Late(ours, theirs), "ms", 10);
        figures.AtMost("memory, at most", memory, "MB", 200);
    }

    private static async Task<(List<Download> Ours, List<Download> Theirs)> CompareAsync(Uri ours, Uri theirs, long size)
    {
        for (var i = 0; i < 3; i++)
        {
            await Download.RunAsync(ours, size); // warms up
            await Download.RunAsync(theirs, size);
        }

        var (our, their) = (new List<Download>(), new List<Download>());
        for (var round = 0; round < Rounds; round++)
        {
            our.Add(await Download.RunAsync(ours, size));
            their.Add(await Download.RunAsync(theirs, size));
        }

        return (our, their);
    }

    private static double Ratio(List<Download> ours, List<Download> theirs) =>
        Figures.Median(ours.Zip(theirs, (mine, other) => other.Seconds / mine.Seconds));

    private static double Late(List<Download> ours, List<Download> theirs) =>
        Figures.Median(ours.Select(download => download.FirstByte)) - Figures.Median(theirs.Select(download => download.FirstByte));

    private static string Mega(List<Download> ours, List<Download> theirs)
    {
        double Of(List<Download> downloads) => Figures.Median(downloads.Select(download => download.Size / 1e6 / download.Seconds));
        return $"({Of(ours):N0} / {Of(theirs):N0} MB/s)";
    }

    private static async Task<double> DecodeAndHashAsync(string file)
    {
        var watch = Stopwatch.StartNew();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var decoded = new DecodingStream(File.OpenRead(file), new ZstdDecoder());
        var (buffer, size) = (new byte[128 << 10], 0L);
        while (await decoded.ReadAsync(buffer) is var read and > 0)
        {
            hash.AppendData(buffer.AsSpan(0, read));
            size += read;
        }

        return size / 1e6 / watch.Elapsed.TotalSeconds;
    }

    /// <summary>A file of random words of which some are frequent, and the same compressed; to about a third.</summary>
    internal static async Task<string> MakeAsync(string files, string name, int size, int seed = 7)
    {
        var path = Path.Combine(files, "nar", $"{name}.nar");
        var random = new Random(seed);
        byte[][] words = [
            .. Enumerable.Range(0, 4096).Select(_ => { var word = new byte[random.Next(3, 13)]; random.NextBytes(word); return word; })];
        var contents = new byte[size];
        for (var filled = 0; filled < size;)
        {
            var word = words[(int)(Math.Pow(random.NextDouble(), 3) * words.Length)];
            var count = Math.Min(word.Length, size - filled);
            word.AsSpan(0, count).CopyTo(contents.AsSpan(filled));
            filled += count;
        }

        await using (var file = File.Create(path))
        {
            new NarWriter(file).File(contents);
        }

        await Tools.RunAsync("zstd", "-q", "-3", "-T0", path, "-o", Path.ChangeExtension(path, ".zst"));
        return path;
    }

    /// <summary>Has a path decided on whose NAR is this file, and the upstream say that it has it.</summary>
    internal static Published Publish(SeededState state, string files, int number, string compression, string nar, string file)
    {
        var (path, narHash, fileHash) = (SeededState.PathOf(number), HashOf(nar), HashOf(file));
        var (narSize, size) = (new FileInfo(nar).Length, new FileInfo(file).Length);
        var claim = new OutputClaim(path, new NarHash(narHash), narSize, []);
        state.Keep([(claim, new NarHints(compression, fileHash, size, null, null, [], SeededState.Upstream))]);
        var url = $"nar/{Path.GetFileName(file)}";
        File.WriteAllText(Path.Combine(files, $"{path.Digest}.narinfo"), new NarInfo
        {
            StorePath = path,
            Url = url,
            Compression = compression,
            FileHash = fileHash,
            FileSize = size,
            NarHash = narHash,
            NarSize = narSize,
            References = [],
        }.ToString());
        return new Published($"nar/{path.Digest}/{narHash.Digits}/{fileHash.Digits}.nar{(compression is "zstd" ? ".zst" : "")}", url, size);
    }

    private static NixHash HashOf(string file)
    {
        using var stream = File.OpenRead(file);
        return NixHash.Sha256(SHA256.HashData(stream));
    }

    /// <param name="Served">Where our proxy has it.</param>
    /// <param name="Path">Where nginx has it.</param>
    /// <param name="Size">How long it is.</param>
    internal sealed record Published(string Served, string Path, long Size);
}
