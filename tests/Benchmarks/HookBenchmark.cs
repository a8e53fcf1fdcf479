using System.Diagnostics;

namespace TrustixProxy.Benchmarks;

/// <summary>What the post-build hook adds to each build: the script, and the executable.</summary>
internal static class HookBenchmark
{
    private const int Runs = 300;

    public static int Run()
    {
        var figures = new Figures();
        var directory = Directory.CreateTempSubdirectory("trustix-bench-").FullName;
        try
        {
            figures.AtMost("post-build hook, script, 99th percentile",
                Slowest(Runs, directory, "/bin/sh", Path.Combine(AppContext.BaseDirectory, "post-build-hook")), "ms", 30);
            figures.AtMost(
                "post-build hook, executable, 99th percentile", Slowest(Runs, directory, MeasuredProcess.ProgramPath, "hook"), "ms", 300);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        return figures.AllMet ? 0 : 1;
    }

    /// <summary>The 99th percentile of the time from start to end, in milliseconds; each run leaves a job.</summary>
    private static double Slowest(int runs, string directory, params string[] command)
    {
        var spool = Directory.CreateTempSubdirectory("trustix-bench-spool-").FullName;
        Directory.CreateDirectory(Path.Combine(directory, "gcroots", "auto"));
        var taken = new List<double>();
        for (var run = 0; run < runs; run++)
        {
            var (path, derivation) = (LogClient.Entry(run).Path, LogClient.Entry(runs + run).Path);
            var start = new ProcessStartInfo(command[0], command[1..])
            {
                Environment = { ["DRV_PATH"] = $"{derivation.Absolute}.drv", ["OUT_PATHS"] = path.Absolute, ["TRUSTIX_SPOOL"] = spool,
                    ["NIX_STATE_DIR"] = directory },
            };
            var watch = Stopwatch.StartNew();
            using var process = Process.Start(start)!;
            process.WaitForExit();
            taken.Add(watch.Elapsed.TotalMilliseconds);
            Thread.Sleep(100); // what it has left running in the background is not to slow the next one: nobody builds ten paths a second
        }

        var left = Directory.GetFiles(spool, "*.job").Length;
        Directory.Delete(spool, recursive: true);
        return left == runs ? taken.Order().ElementAt(runs * 99 / 100)
            : throw new InvalidOperationException($"{runs} runs of {command[0]} left {left} jobs");
    }
}
