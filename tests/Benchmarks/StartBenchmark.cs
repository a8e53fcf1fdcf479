using System.Diagnostics;

namespace TrustixProxy.Benchmarks;

/// <summary>From the start of the process to the first narinfo, out of many decisions on disk; and what the process takes when nothing
/// happens.</summary>
internal static class StartBenchmark
{
    private const int Decisions = 100_000;

    public static async Task<int> RunAsync()
    {
        var figures = new Figures();
        using var state = new SeededState();
        state.Decide(Decisions);
        var (times, memories) = (new List<double>(), new List<double>());
        for (var round = 0; round < 5; round++)
        {
            using var client = new HttpClient();
            var watch = Stopwatch.StartNew();
            using var proxy = await ServeProcess.StartAsync(state, new Uri("http://127.0.0.1:1"));
            (await client.GetAsync(new Uri(proxy.Url, $"{SeededState.PathOf(Decisions / 2).Digest}.narinfo"))).EnsureSuccessStatusCode();
            times.Add(watch.Elapsed.TotalSeconds);
            await Task.Delay(TimeSpan.FromSeconds(5));
            memories.Add(proxy.Measured.Memory.Now);
        }

        Console.WriteLine($"{Decisions:N0} persisted decisions");
        figures.AtMost("from the start to the first narinfo", Figures.Median(times), "s", 0.8);
        figures.AtMost("memory, idle", Figures.Median(memories), "MB", 80);
        return figures.AllMet ? 0 : 1;
    }
}
