using System.Diagnostics;
using TrustixProxy.Testing;

namespace TrustixProxy.Benchmarks;

/// <summary>NARs out of an S3 bucket. As an upstream: signed requests, beside nginx's bare forwarding of the same file from its disk.
/// As what replicas share: a client's downloads while they are uploaded, and a replica that has nothing but the bucket.</summary>
internal static class BucketBenchmark
{
    private const int Rounds = 5, Size = 200_000_000, Nars = 20, NarSize = 8_000_000;

    public static async Task<int> RunAsync()
    {
        if (!Tools.AreThere(("nginx", "nginx-light"), ("zstd", "zstd")))
        {
            return 2;
        }

        var figures = new Figures();
        await using var bucket = await FakeBucket.StartAsync();
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", bucket.Key!.Value.Id);
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", bucket.Key.Value.Secret);
        using var state = new SeededState();
        var root = Path.Combine(state.Directory, "files");
        var files = Directory.CreateDirectory(Path.Combine(root, FakeBucket.Name, "nar")).Parent!.FullName;
        using var nginx = await Nginx.StartAsync(Path.Combine(state.Directory, "nginx"), root, null);
        await AsUpstreamAsync(state, files, nginx, figures);
        await AsSharedStoreAsync(state, files, nginx, bucket, figures);
        return figures.AllMet ? 0 : 1;
    }

    /// <summary>nginx has the objects, and reads no signature: what is measured is our side.</summary>
    private static async Task AsUpstreamAsync(SeededState state, string files, Nginx nginx, Figures figures)
    {
        var nar = await NarBenchmark.MakeAsync(files, "bench", Size);
        var file = NarBenchmark.Publish(state, files, 1, "none", nar, nar);
        using var proxy = await ServeProcess.StartAsync(state, new Uri(
            $"s3://{FakeBucket.Name}?endpoint={nginx.Static.Authority}&scheme=http&region={FakeBucket.Region}"));
        var (ours, theirs) = (new Uri(proxy.Url, file.Served), new Uri(nginx.Forward, $"{FakeBucket.Name}/{file.Path}"));
        var ratios = new List<double>();
        for (var round = 0; round < Rounds + 1; round++)
        {
            var (mine, other) = (await Download.RunAsync(ours, file.Size), await Download.RunAsync(theirs, file.Size));
            ratios.Add(other.Seconds / mine.Seconds);
        }

        Console.WriteLine($"a bucket as upstream: a NAR of {Size / 1e6:N0} MB, not compressed");
        figures.AtLeast("bytes per second over nginx proxy_pass's", Figures.Median(ratios.Skip(1)), "x", 0.8);
    }

    private static async Task AsSharedStoreAsync(SeededState state, string files, Nginx nginx, FakeBucket bucket, Figures figures)
    {
        List<NarBenchmark.Published> nars = [];
        for (var i = 0; i < Nars; i++)
        {
            var nar = await NarBenchmark.MakeAsync(files, $"shared-{i}", NarSize, seed: i);
            nars.Add(NarBenchmark.Publish(state, files, 2 + i, "none", nar, nar));
        }

        var upstream = new Uri(nginx.Static, $"{FakeBucket.Name}/");
        var alone = await FetchAsync(state, upstream, nars, null, () => Task.CompletedTask);
        var upload = new Stopwatch();
        var shared = await FetchAsync(state, upstream, nars, bucket, async () =>
        {
            upload.Start();
            while (bucket.Objects.Keys.Count(name => name.EndsWith(".narinfo", StringComparison.Ordinal)) < Nars)
            {
                await Task.Delay(10);
            }

            upload.Stop();
        });
        var (from, again) = (bucket.Uploads.Values.Max(), await FetchAsync(
            state, new Uri("http://127.0.0.1:1"), nars, bucket, () => Task.CompletedTask));

        Console.WriteLine($"a bucket that replicas share: {Nars} NARs of {NarSize / 1e6:N0} MB, one after the other");
        figures.AtLeast("bytes per second while they are uploaded, over not", alone / shared, "x", 0.8);
        Figures.Show("the last was uploaded after its download by", upload.Elapsed.TotalSeconds, "s");
        figures.AtMost("uploads of one object", from, "", 1);
        Figures.Show("bytes per second out of the bucket alone, over the upstream's", alone / again, "x");
    }

    /// <summary>Seconds that a client takes for all NARs, through a proxy with an empty store.</summary>
    private static async Task<double> FetchAsync(
        SeededState state, Uri upstream, List<NarBenchmark.Published> nars, FakeBucket? bucket, Func<Task> then)
    {
        var store = Path.Combine(state.Directory, "nars");
        if (Directory.Exists(store))
        {
            Directory.Delete(store, recursive: true);
        }

        using var proxy = await ServeProcess.StartAsync(state, upstream, store, bucket: bucket);
        var watch = Stopwatch.StartNew();
        foreach (var nar in nars)
        {
            await Download.RunAsync(new Uri(proxy.Url, nar.Served), nar.Size);
        }

        watch.Stop();
        await then();
        return watch.Elapsed.TotalSeconds;
    }
}
