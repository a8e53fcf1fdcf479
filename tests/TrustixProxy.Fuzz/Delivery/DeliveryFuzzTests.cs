using System.Collections.Concurrent;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using Xunit.Abstractions;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>2,000 deliveries of NARs by upstreams that cut, stall, lie, pad, compress and redirect.
/// Clients leave, pause, pipeline and take parts.</summary>
/// <remarks>The seed is always the same; <c>TRUSTIXPROXY_FUZZ_SEED</c> gives another, and a failure prints it.
/// <c>TRUSTIXPROXY_FUZZ_DELIVERIES</c> makes it longer. A delivery is deliverable when one upstream serves the file
/// with at most a fault that HTTP can mend. In one case, which is counted, it may still be cut:
/// the lie of another upstream has reached the client as bytes or as a promised length. Only a cut can take that back.</remarks>
public sealed class DeliveryFuzzTests(ITestOutputHelper console)
{
    private const int PerWorld = 50, AtOnce = 16, WorldsAtOnce = 3;

    private static readonly string[] Compressions = ["none", "xz", "zstd", "gzip", "bzip2", "br"];

    private static readonly int Seed =
        int.TryParse(Environment.GetEnvironmentVariable("TRUSTIXPROXY_FUZZ_SEED"), out var seed) ? seed : 2;

    private static readonly int Deliveries =
        int.TryParse(Environment.GetEnvironmentVariable("TRUSTIXPROXY_FUZZ_DELIVERIES"), out var count) ? count : 2_000;

    private readonly ConcurrentDictionary<(bool IsDeliverable, DeliveryEnd End), int> _ends = new();
    private readonly ConcurrentQueue<string> _faults = new();

    [Fact]
    public async Task Every_body_is_whole_and_right_or_cut_and_whole_wherever_one_upstream_can_deliver()
    {
        console.WriteLine($"seed {Seed}");
        var random = new Random(Seed);
        var outputs = Enumerable.Range(0, 6 * Compressions.Length)
            .Select(i => (Output: TestOutput.Make($"fuzz-{i}", SizeOf(random)), Compressions[i % Compressions.Length]))
            .ToList();
        var before = OpenHandles.Sockets;
        var worlds = Enumerable.Range(0, Deliveries / PerWorld).Select(_ => new Random(random.Next())).ToList();

        var bound = new ParallelOptions { MaxDegreeOfParallelism = WorldsAtOnce };
        await Parallel.ForEachAsync(worlds, bound, (world, _) => RunWorldAsync(outputs, world));

        foreach (var ((isDeliverable, end), times) in _ends.OrderBy(end => end.Key))
        {
            console.WriteLine($"{(isDeliverable ? "" : "not ")}deliverable, {end}: {times}");
        }

        Assert.True(_faults.IsEmpty, $"Seed {Seed}: {_faults.Count} bad deliveries.\n{string.Join('\n', _faults.Take(20))}");
        var deliverable = _ends.Where(end => end.Key.IsDeliverable).Sum(end => end.Value);
        Assert.InRange(_ends.Values.Sum(), Deliveries, int.MaxValue);
        Assert.InRange(deliverable, Deliveries / 2, int.MaxValue);
        Assert.InRange(_ends.GetValueOrDefault((true, DeliveryEnd.CutAsItHadTo)), 0, deliverable / 20);
        await UntilAsync(() => OpenHandles.Sockets <= before, 60);
    }

    private static int SizeOf(Random random) => 10 + random.Next(random.Next(6) is 0 ? 1_500_000 : 20_000);

    private async ValueTask RunWorldAsync(List<(TestOutput Output, string Compression)> outputs, Random random)
    {
        await using var world = await DeliveryWorld.StartAsync(outputs, random);
        var narInfos = new Dictionary<TestOutput, NarInfo>(); // asked for first: an upstream whose NARs fail counts as down later
        foreach (var (output, _) in outputs)
        {
            narInfos.Add(output, await world.NarInfoAsync(output));
        }

        var jobs = new List<(List<TestOutput> Outputs, Random Random)>();
        for (var left = PerWorld; left > 0; left -= jobs[^1].Outputs.Count)
        {
            var several = random.Next(10) is 0 ? Math.Min(left, random.Next(2, 5)) : 1;
            var wanted = Enumerable.Range(0, several).Select(_ => outputs[random.Next(outputs.Count)].Output).ToList();
            jobs.Add((wanted, new Random(random.Next())));
        }

        var bound = new ParallelOptions { MaxDegreeOfParallelism = AtOnce };
        await Parallel.ForEachAsync(jobs, bound, async (job, _) => await DeliverAsync(world, narInfos, job.Outputs, job.Random));
        await UntilNothingIsLeftAsync(world);
    }

    /// <summary>Waits until the proxy has closed what it opened for deliveries.</summary>
    private async Task UntilNothingIsLeftAsync(DeliveryWorld world)
    {
        try
        {
            await UntilAsync(() => Left(world) is (0, 0), 30);
        }
        catch (TimeoutException)
        {
            _faults.Enqueue($"{string.Join('+', world.Faults)}: {Left(world)} connections and spools are left.");
        }
    }

    private static (int Connections, int Spools) Left(DeliveryWorld world) =>
        (world.Running, OpenHandles.FilesIn(world.Proxy.StateDirectory).Count(file => file.Contains(".spool-", StringComparison.Ordinal)));

    /// <summary>Has one client ask for outputs, pipelined where there are several, and judges how that ends.</summary>
    private async Task DeliverAsync(DeliveryWorld world, Dictionary<TestOutput, NarInfo> narInfos, List<TestOutput> outputs, Random random)
    {
        var orders = new List<DeliveryOrder>();
        foreach (var output in outputs)
        {
            var narInfo = narInfos[output];
            orders.Add(new DeliveryOrder(output, narInfo, random.Next(4) is 0 ? random.Next(output.File(narInfo.Compression).Length) : 0));
        }

        var ends = orders.Count > 1 ? await PipeliningClient.RunAsync(world.Proxy.Url, orders)
            : [await DeliveryClient.RunAsync(world.Proxy.Client, world.Proxy.Url, orders[0], random)];
        foreach (var (order, seen) in orders.Zip(ends))
        {
            var end = seen is DeliveryEnd.Cut && world.HadToCut(order) ? DeliveryEnd.CutAsItHadTo : seen;
            _ends.AddOrUpdate((world.CanDeliver, end), 1, (_, count) => count + 1);
            var isBad = end is DeliveryEnd.Wrong or DeliveryEnd.Fault or DeliveryEnd.Hung;
            if (isBad || (world.CanDeliver && end is (DeliveryEnd.Cut or DeliveryEnd.Refused)))
            {
                _faults.Enqueue(Describe(world, order, $"{(orders.Count > 1 ? "pipelined" : "alone")}: {end}"));
            }
        }
    }

    private static string Describe(DeliveryWorld world, DeliveryOrder order, string end)
    {
        var (narInfo, digest) = (order.NarInfo, order.Output.Path.Digest.ToString());
        var lines = world.Proxy.Lines
            .Where(line => line.Contains(digest, StringComparison.Ordinal)
                && !line.Contains("/nar/", StringComparison.Ordinal)).TakeLast(8);
        return $"{string.Join('+', world.Faults)} {narInfo.Compression} of {narInfo.FileSize} ({narInfo.NarSize}) from {order.Start}, {end}"
            + string.Concat(lines.Select(line => $"\n  {line}"));
    }
}
