using System.Diagnostics;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Benchmarks;

/// <summary>The log node with three witnesses on loopback, each of which makes a checkpoint durable before it answers; beside it the same
/// node without witnesses.</summary>
internal static class WitnessBenchmark
{
    private const string Origin = "log.example/bench";
    private const int Heads = 50, Entries = 100_000, Rounds = 3;

    public static async Task<int> RunAsync()
    {
        var figures = new Figures();
        var (with, without) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            without.Add(await InDirectoryAsync((directory, key) => FillAsync(directory, key, policy: null)));
            with.Add(await InDirectoryAsync(async (directory, key) =>
            {
                using var witnesses = await WitnessesAsync(new LogSigner(key.Key).Key, Origin, PolicyOf(directory));
                return await FillAsync(directory, key, PolicyOf(directory));
            }));
        }

        Console.WriteLine($"  over that without, each round: {string.Join(", ", with.Zip(without, (a, b) => $"{a / b:0.00}"))}");
        Figures.Show("submit + flush, batches of 500, without witnesses", Figures.Median(without), "entries/s");
        figures.AtLeast("the same with witnesses, interval 1 s, over that", Figures.Median(with.Zip(without, (a, b) => a / b)), "", 0.9);
        await InDirectoryAsync(async (directory, key) =>
        {
            using var witnesses = await WitnessesAsync(new LogSigner(key.Key).Key, Origin, PolicyOf(directory));
            await HeadsAsync(directory, key, witnesses, figures);
            await ColdBenchmark.WitnessedAsync(Path.Combine(directory, "cold"), figures);
            return 0;
        });
        return figures.AllMet ? 0 : 1;
    }

    /// <summary>Heads one after the other: how long each takes to be cosigned and visible, and how long an answer with it is.</summary>
    private static async Task HeadsAsync(string directory, NixSecretKey key, FakeWitnesses witnesses, Figures figures)
    {
        var (token, logId) = (NixSecretKey.Generate("builder"), new LogSigner(key.Key).Key.LogId);
        using var node = await NodeProcess.StartAsync(directory, token, "01:00:00", policy: PolicyOf(directory), origin: Origin);
        using var client = new LogClient(node, token, logId);
        var (rounds, visible, sizes) = (new List<double>(), new List<double>(), new List<double>());
        for (var i = 1; i <= Heads; i++)
        {
            var before = Lookup(client, new LookupRequest { LogID = logId }).Head;
            var (asked, requests, watch) = (TimeSpan.Zero, witnesses.Requests, Stopwatch.StartNew());
            client.Submit(i, 1);
            client.Flush();
            LookupResponse grown;
            do
            {
                grown = Lookup(client, new LookupRequest { LogID = logId, TreeSize = before.TreeSize, MHTreeSize = before.MHTreeSize });
                asked = asked == TimeSpan.Zero && witnesses.Requests > requests ? watch.Elapsed : asked;
            }
            while (grown.Head.TreeSize == before.TreeSize);
            visible.Add(watch.Elapsed.TotalMilliseconds);
            rounds.Add((watch.Elapsed - asked).TotalMilliseconds);
            sizes.Add(grown.CalculateSize());
        }

        figures.AtMost("cosigned head: from the first answer of a witness, p50", Figures.Median(rounds), "ms", 50);
        Figures.Show("cosigned head: from the submission, interval 1 s, p50", Figures.Median(visible), "ms");
        figures.AtMost("grown poll with 3 cosignatures on both checkpoints", sizes.Max(), "B", 4096);
    }

    public static LookupResponse Lookup(LogClient client, LookupRequest request) =>
        client.Read("/trustix_proxy.v1.LookupAPI/Lookup", request, LookupResponse.Parser);

    private static async Task<double> FillAsync(string directory, NixSecretKey key, string? policy)
    {
        var token = NixSecretKey.Generate("builder");
        using var node = await NodeProcess.StartAsync(directory, token, "01:00:00", policy: policy, origin: Origin);
        using var client = new LogClient(node, token, new LogSigner(key.Key).Key.LogId);
        return LogBenchmark.Fill(client, node, Entries).All;
    }

    private static async Task<double> InDirectoryAsync(Func<string, NixSecretKey, Task<double>> run)
    {
        var (directory, key) = (Directory.CreateTempSubdirectory("trustix-bench-").FullName, NixSecretKey.Generate("bench"));
        try
        {
            await File.WriteAllTextAsync(Path.Combine(directory, "log.key"), key.Export());
            File.SetUnixFileMode(Path.Combine(directory, "log.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return await run(directory, key);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Starts three witnesses of a log, and writes the policy that demands two of them.</summary>
    public static async Task<FakeWitnesses> WitnessesAsync(LogKey log, string origin, string policyFile)
    {
        var witnesses = new FakeWitnesses(VerifierKey.OfLog(origin, log), VerifierKey.OfLog(origin + Checkpoint.MapHeads, log),
            new TestWitness("w1", 1), new TestWitness("w2", 2), new TestWitness("w3", 3))
        {
            Before = name => Task.Run(() => MakeDurable($"{policyFile}.{name}")),
        };
        await witnesses.ListenAsync();
        await File.WriteAllTextAsync(policyFile, witnesses.PolicyText(2));
        return witnesses;
    }

    private static string PolicyOf(string directory) => Path.Combine(directory, "witnesses");

    private static void MakeDurable(string path)
    {
        using var file = File.OpenHandle(
            $"{path}-{Guid.NewGuid()}", FileMode.CreateNew, FileAccess.Write, options: FileOptions.DeleteOnClose);
        RandomAccess.Write(file, new byte[512], 0);
        RandomAccess.FlushToDisk(file);
    }
}
