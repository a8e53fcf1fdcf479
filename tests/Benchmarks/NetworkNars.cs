using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace TrustixProxy.Benchmarks;

/// <summary>NARs over a poor network: connections that end early, many ranges, files that are gone, and slow clients beside fast
/// ones.</summary>
internal static class NetworkNars
{
    private const int Large = 200_000_000, Medium = 64_000_000, Small = 1_000_000, Rounds = 5, Ranges = 16;
    private const long PerConnection = 16_000_000;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(200);

    /// <summary>(b) A NAR over connections that end after every 16 MB.</summary>
    public static async Task ResumeAsync(Figures figures)
    {
        await using var stage = await Stage.MakeAsync(Large);
        stage.Upstream.BytesPerConnection = PerConnection;
        foreach (var (line, rate) in new[] { ("50 MB/s", (long?)50_000_000), ("loopback", null) })
        {
            stage.Upstream.BytesPerSecond = rate;
            var (ours, theirs) = (new List<double>(), new List<double>());
            for (var round = 0; round < Rounds; round++)
            {
                using var proxy = await ServeProcess.StartAsync(stage.State, stage.Upstream.Url);
                ours.Add((await Download.RunAsync(new Uri(proxy.Url, stage.File.Served), stage.File.Size)).Seconds);
                theirs.Add(await ResumeStraightAsync(new Uri(stage.Upstream.Url, stage.File.Path), stage.File.Size));
            }

            Figures.Show($"200 MB in connections of 16 MB, {line}: through us", Figures.Median(ours),
                $"s, straight {Figures.Median(theirs):0.000} s");
            figures.AtMost(
                "over a client that resumes straight", Figures.Median(ours.Zip(theirs, (mine, other) => mine / other)), "times", 1.15);
        }
    }

    /// <summary>(c) 16 ranges at once that make up a NAR.</summary>
    public static async Task RangesAsync(Figures figures)
    {
        await using var stage = await Stage.MakeAsync(Medium);
        using var proxy = await ServeProcess.StartAsync(stage.State, stage.Upstream.Url);
        using var client = new HttpClient();
        var part = (stage.File.Size / Ranges) + 1;
        var lengths = await Task.WhenAll(Enumerable.Range(0, Ranges).Select(i => RangeAsync(
            client, new Uri(proxy.Url, stage.File.Served), i * part, Math.Min(stage.File.Size, (i + 1) * part) - 1)));
        figures.AtLeast($"bytes that {Ranges} ranges of a NAR of 64 MB brought", lengths.Sum() / (double)stage.File.Size, "times", 1);
        figures.AtMost("bytes from the upstream for them", stage.Upstream.Sent / (double)stage.File.Size, "times", 1.05);
    }

    /// <summary>(d) A NAR that is gone, at an upstream that is 200 ms away: far enough that work on this machine adds no round
    /// trip.</summary>
    public static async Task GoneAsync(Figures figures)
    {
        await using var stage = await Stage.MakeAsync(Small, files: 2);
        using var relay = new DelayRelay(stage.Upstream.Url, RoundTrip);
        using var proxy = await ServeProcess.StartAsync(stage.State, relay.Url);
        using var client = new HttpClient();
        await Download.RunAsync(new Uri(proxy.Url, stage.Files[1].Served), stage.Files[1].Size); // there is a connection
        stage.Upstream.AreNarsGone = true;
        stage.Upstream.Forget();
        var start = Stopwatch.GetTimestamp();
        using var response = await client.GetAsync(new Uri(proxy.Url, stage.File.Served));
        var elapsed = Stopwatch.GetElapsedTime(start);
        figures.AtMost($"until the answer, {(int)response.StatusCode}, {elapsed.TotalSeconds:0.000} s",
            Math.Round(elapsed / RoundTrip), "trips", 2);
        await Task.Delay(TimeSpan.FromSeconds(1)); // for what is asked after the answer
        var (nars, narInfos) = (stage.Upstream.NarRequests, stage.Upstream.NarInfoRequests);
        figures.AtMost($"requests: {nars} for the NAR, {narInfos} for its narinfo", nars + narInfos, "", 2);
    }

    /// <summary>(h) A client at 1 kB/s beside one at full speed; and one-byte ranges one after the other.</summary>
    public static async Task SlowBesideFastAsync(Figures figures)
    {
        await using var stage = await Stage.MakeAsync(Medium);
        var (alone, beside) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            alone.Add(await FastAsync(stage, withSlow: false));
            beside.Add(await FastAsync(stage, withSlow: true));
        }

        Figures.Show("64 MB beside a client at 1 kB/s", Figures.Median(beside), $"s, alone {Figures.Median(alone):0.000} s");
        figures.AtMost("beside it, over alone", Figures.Median(beside) / Figures.Median(alone), "times", 1.1);
        using var proxy = await ServeProcess.StartAsync(stage.State, stage.Upstream.Url);
        using var client = new HttpClient();
        stage.Upstream.Forget();
        var bytes = 0L;
        for (var i = 0; i < 40; i++)
        {
            bytes += await RangeAsync(
                client, new Uri(proxy.Url, stage.File.Served), i * (stage.File.Size / 40), i * (stage.File.Size / 40));
        }

        figures.AtLeast("bytes that 40 ranges of one byte brought", bytes, "B", 40);
        figures.AtMost("downloads for them", stage.Upstream.Sent / (double)stage.File.Size, "downloads", 2);
    }

    /// <summary>What a client takes that goes on at the offset by itself, and hashes what comes, as Nix does.</summary>
    private static async Task<double> ResumeStraightAsync(Uri url, long size)
    {
        var (start, position, buffer) = (Stopwatch.GetTimestamp(), 0L, new byte[256 << 10]);
        using var client = new HttpClient();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        while (position < size)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url) { Headers = { Range = new RangeHeaderValue(position, null) } };
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            await using var body = await response.Content.ReadAsStreamAsync();
            try
            {
                while (await body.ReadAsync(buffer) is var read and > 0)
                {
                    position += read;
                    hash.AppendData(buffer.AsSpan(0, read));
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                // The connection has ended: the next one goes on.
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<double> FastAsync(Stage stage, bool withSlow)
    {
        using var proxy = await ServeProcess.StartAsync(stage.State, stage.Upstream.Url);
        using var end = new CancellationTokenSource();
        var url = new Uri(proxy.Url, stage.File.Served);
        var slow = withSlow ? TakeSlowlyAsync(url, end.Token) : Task.CompletedTask;
        var seconds = (await Download.RunAsync(url, stage.File.Size)).Seconds;
        await end.CancelAsync();
        await slow;
        return seconds;
    }

    private static async Task<long> RangeAsync(HttpClient client, Uri url, long first, long last)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url) { Headers = { Range = new RangeHeaderValue(first, last) } };
        using var response = await client.SendAsync(request);
        return response.StatusCode is HttpStatusCode.PartialContent ? (await response.Content.ReadAsByteArrayAsync()).LongLength : 0;
    }

    private static async Task TakeSlowlyAsync(Uri url, CancellationToken cancellation)
    {
        using var client = new HttpClient();
        try
        {
            using var response = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellation);
            await using var body = await response.Content.ReadAsStreamAsync(cancellation);
            var buffer = new byte[100];
            while (await body.ReadAsync(buffer, cancellation) > 0)
            {
                await Task.Delay(100, cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            // The measurement is over.
        }
    }

    /// <summary>Files that are decided on, and an upstream that has them.</summary>
    private sealed record Stage(SeededState State, NetworkUpstream Upstream, IReadOnlyList<NarBenchmark.Published> Files) : IAsyncDisposable
    {
        public NarBenchmark.Published File => Files[0];

        public static async Task<Stage> MakeAsync(int size, int files = 1)
        {
            var state = new SeededState();
            var directory = Directory.CreateDirectory(Path.Combine(state.Directory, "files", "nar")).Parent!.FullName;
            var published = new List<NarBenchmark.Published>();
            for (var i = 0; i < files; i++)
            {
                var nar = await NarBenchmark.MakeAsync(directory, $"network-{i}", size + i);
                published.Add(NarBenchmark.Publish(state, directory, i, "none", nar, nar));
            }

            return new Stage(state, await NetworkUpstream.StartAsync(directory), published);
        }

        public async ValueTask DisposeAsync()
        {
            await Upstream.DisposeAsync();
            State.Dispose();
        }
    }
}
