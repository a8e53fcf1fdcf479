using System.Diagnostics;
using System.Globalization;

namespace TrustixProxy.Simulation;

/// <summary>Runs worlds: as a program, shared out over processes of which each has a core of its own.</summary>
/// <remarks><c>--decisions N</c> how many at least (100,000; more until every lie was told a thousand times), <c>--seconds S</c> for how
/// long at least (0), <c>--seed S</c>, <c>--world W</c> only this one, <c>--workers K</c> (one for each core).</remarks>
internal static class Program
{
    /// <summary>How many worlds go on at once in a process: while one waits for the disk, others do not.</summary>
    private const int AtOnce = 8;

    /// <summary>How often every lie has to be told.</summary>
    private const int Least = 1000;

    public static async Task<int> Main(string[] arguments)
    {
        var options = arguments.Chunk(2).ToDictionary(pair => pair[0], pair => int.Parse(pair[1], CultureInfo.InvariantCulture));
        var seed = options.TryGetValue("--seed", out var given) ? given : Random.Shared.Next(1_000_000);
        if (options.TryGetValue("--world", out var world))
        {
            return Work(seed, world, 1, TimeSpan.Zero, decisions: null);
        }

        var decisions = options.GetValueOrDefault("--decisions", 100_000);
        var least = TimeSpan.FromSeconds(options.GetValueOrDefault("--seconds", 0));
        if (options.TryGetValue("--worker", out var worker))
        {
            if (OperatingSystem.IsLinux())
            {
                // its threads take turns: on one core that costs least
                Process.GetCurrentProcess().ProcessorAffinity = 1 << options["--core"];
            }

            return Work(seed, worker, options["--workers"], least, decisions);
        }

        var (good, report) = await RunAsync(seed, decisions, least, options.GetValueOrDefault("--workers", Environment.ProcessorCount));
        report.ForEach(Console.WriteLine);
        return good ? 0 : 1;
    }

    /// <summary>Shares the worlds out over processes, and adds up what they count.</summary>
    /// <returns>Whether all held and every lie was told a thousand times; and the report.</returns>
    public static async Task<(bool IsGood, List<string> Report)> RunAsync(int seed, int decisions, TimeSpan least, int workers)
    {
        var watch = Stopwatch.StartNew();
        var runs = await Task.WhenAll(
            Enumerable.Range(0, workers).Select(worker => RunWorkerAsync(seed, worker, workers, decisions / workers, least)));
        var census = new Census();
        foreach (var run in runs)
        {
            census.Read(run.Lines);
        }

        var rare = LieKind.All.Keys.Where(lie => census.CountOf(lie) < Least).ToList();
        List<string> report =
        [
            .. census.Table(),
            string.Create(CultureInfo.InvariantCulture, $"{census.Decisions} decisions in {watch.Elapsed.TotalSeconds:F0} s, "
                + $"{census.Decisions / watch.Elapsed.TotalSeconds:F0} a second; seed {seed}"),
            .. rare.Select(lie => $"told less than {Least} times: {lie}"),
            .. runs.SelectMany(run => run.Lines).Where(line => line.StartsWith("fault", StringComparison.Ordinal)),
        ];
        return (rare.Count is 0 && runs.All(run => run.Code is 0) && census.Decisions >= decisions, report);
    }

    private static async Task<(int Code, string[] Lines)> RunWorkerAsync(int seed, int worker, int workers, int decisions, TimeSpan least)
    {
        var start = new ProcessStartInfo(
            "dotnet",
            [typeof(Program).Assembly.Location, "--seed", $"{seed}", "--worker", $"{worker}", "--core",
            $"{worker % Environment.ProcessorCount}", "--workers", $"{workers}", "--decisions", $"{decisions}", "--seconds",
            $"{least.TotalSeconds:F0}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["DOTNET_PROCESSOR_COUNT"] = "1", ["DOTNET_TieredPGO"] = "0", ["DOTNET_gcConcurrent"] = "0",
                ["DOTNET_GCgen0size"] = "4000000" },
        };
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, [.. (await output).Split('\n'),
            .. (await errors).Split('\n').Where(line => line.Length > 0).Take(20).Select(line => $"fault: worker {worker}: {line}")]);
    }

    private static int Work(int seed, int first, int step, TimeSpan least, int? decisions)
    {
        var census = new Census();
        var root = Directory.CreateDirectory(
            Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"trustix-simulation-{Environment.ProcessId}"));
        var watch = Stopwatch.StartNew();
        try
        {
            for (var number = first; number == first || census.Decisions < decisions || watch.Elapsed < least
                || (decisions is not null && census.Rarest * step < Least); number += AtOnce * step)
            {
                var worlds = Enumerable.Range(0, decisions is null ? 1 : AtOnce)
                    .Select(i => new World(seed, number + (i * step), Path.Combine(root.FullName, $"{i}"))).ToList();
                var runs = new Turns().Run(worlds, world => world.RunAsync(census));
                worlds.ForEach(world => world.Dispose());
                if (runs.FirstOrDefault(run => run.Run.IsFaulted) is { } bad)
                {
                    var fault = bad.Run.Exception!.InnerException!;
                    Console.WriteLine($"fault: {(fault is Fault ? fault.Message : fault.ToString().ReplaceLineEndings(" "))}; again: "
                        + $"dotnet run --project tests/TrustixProxy.Simulation -- --seed {seed} --world {bad.World.Number}");
                    return 1;
                }
            }

            foreach (var line in decisions is null ? census.Table() : census.Lines())
            {
                Console.WriteLine(line);
            }

            return 0;
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }
}
