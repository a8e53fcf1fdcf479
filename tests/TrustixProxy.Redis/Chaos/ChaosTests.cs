using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace TrustixProxy.Redis.Chaos;

/// <summary>200 clients ask three replicas while logs, upstreams, Redis, the bucket and the replicas themselves are killed, stopped,
/// slowed, made to lie and mended.</summary>
/// <remarks><c>TRUSTIXPROXY_CHAOS_SECONDS=600 TRUSTIXPROXY_CHAOS_SEED=7 dotnet test tests/TrustixProxy.Redis --filter Chaos -l
/// "console;verbosity=detailed"</c> goes on for ten minutes, and shows what happened.</remarks>
public sealed class ChaosTests(ITestOutputHelper output)
{
    private const int Clients = 200;

    /// <summary>What a replica still takes, in MB, until it has stored as many NARs as it may.</summary>
    private const int WarmUp = 32;

    private readonly TimeSpan _duration = TimeSpan.FromSeconds(Read("TRUSTIXPROXY_CHAOS_SECONDS", 60));
    private readonly int _seed = Read("TRUSTIXPROXY_CHAOS_SEED", 7);
    private readonly Outages _outages = new();

    [Fact]
    public async Task Whatever_breaks_no_answer_is_wrong_none_that_could_be_given_is_withheld_and_no_decision_is_lost()
    {
        await using var lab = await ChaosLab.StartAsync();
        using var clients = new ChaosClients(lab, _outages);
        using var stop = new CancellationTokenSource();
        var asking = Enumerable.Range(0, Clients).Select(i => clients.RunAsync(i, stop.Token)).Append(lab.PublishAsync(stop.Token))
            .ToList();
        var memory = MeasureAsync(lab, stop.Token);

        await Task.Delay(_duration / 12); // nothing is broken yet
        await new Mischief(lab, _outages, _seed).RunAsync(_duration * 10 / 12);
        await stop.CancelAsync();
        await Task.WhenAll(asking);
        var (second, last) = await memory;

        foreach (var line in _outages.All.GroupBy(outage => $"{outage.Part.Split(' ')[0]} {outage.How}")
            .OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"  {group.Key}: {group.Count()}"))
        {
            output.WriteLine(line);
        }

        output.WriteLine($"seed {_seed}, {_duration.TotalSeconds:f0} s, {Clients} clients, {_outages.All.Count} outages; memory of a "
            + $"replica in the second and the last quarter {second:f0} and {last:f0} MB");
        clients.Report().ToList().ForEach(output.WriteLine);
        clients.Faults.Take(5).ToList().ForEach(output.WriteLine);
        Assert.Empty(clients.Faults);
        Assert.True(clients.MustServe > 100, "Hardly an answer had to be given.");
        await CheckNothingIsLostAsync(lab, clients);
        Assert.True(last < (second * 1.2) + WarmUp, $"memory went from {second:f0} to {last:f0} MB");
    }

    /// <summary>With all logs away, Redis gone and every replica killed once more, each still serves what it has served.</summary>
    private async Task CheckNothingIsLostAsync(ChaosLab lab, ChaosClients clients)
    {
        await Task.WhenAll(lab.Logs.Values.Select(log => log.StopAsync()).Append(lab.Redis.KillAllAsync()));
        await Task.WhenAll(lab.Replicas.Select(async replica =>
        {
            await replica.KillAsync();
            await replica.StartAsync();
        }));
        var served = clients.Served.ToList();
        var lost = new ConcurrentQueue<string>();
        await Parallel.ForEachAsync(served, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (entry, _) =>
        {
            var reply = await clients.AskAsync(entry.Replica, $"{entry.Wanted.Output.Path.Digest}.narinfo");
            if (reply is not { Status: 200 } given || !lab.IsRight(entry.Wanted, given.Text))
            {
                lost.Enqueue($"replica {entry.Replica}, {entry.Wanted.Output.Path}: {reply}; it said of it: "
                    + $"{string.Join('\n', lab.Replicas[entry.Replica].LinesOf(entry.Wanted.Output.Path.Digest.ToString()))}");
            }
        });
        output.WriteLine($"decisions that a replica had served: {served.Count}; lost: {lost.Count}");
        Assert.True(lost.IsEmpty, string.Join('\n', lost.Take(5)));
    }

    /// <summary>The median memory of replicas that have run for three seconds, in the second and the last quarter of the time, in
    /// MB.</summary>
    private async Task<(double Second, double Last)> MeasureAsync(ChaosLab lab, CancellationToken stop)
    {
        var (start, quarters) = (Stopwatch.GetTimestamp(), new List<double>[] { [], [], [], [] });
        while (!stop.IsCancellationRequested)
        {
            var quarter = (int)Math.Min(3, Stopwatch.GetElapsedTime(start) * 4 / (_duration * 11 / 12));
            quarters[quarter].AddRange(lab.Replicas.Select(replica => replica.Memory(TimeSpan.FromSeconds(3))).OfType<double>());
            await Task.Delay(250, CancellationToken.None);
        }

        return (Median(quarters[1]), Median(quarters[3]));
    }

    private static double Median(List<double> values) => values.Count is 0 ? 0 : values.Order().ElementAt(values.Count / 2);

    private static int Read(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
