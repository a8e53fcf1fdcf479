using System.Globalization;
using System.Text.RegularExpressions;

namespace TrustixProxy.Benchmarks;

/// <summary>What a server did under load.</summary>
/// <param name="Rate">Answers a second.</param>
/// <param name="P99">The latency that one in a hundred exceeds, in ms.</param>
/// <param name="Cpu">The server's CPU time per answer, in µs.</param>
internal sealed record Load(double Rate, double P99, double Cpu);

/// <summary>Loads a server with wrk: each connection goes through the paths in turn.</summary>
internal sealed partial class Wrk
{
    private readonly string _script;

    /// <param name="directory">Where the script is put.</param>
    /// <param name="paths">What is asked for.</param>
    public Wrk(string directory, IEnumerable<string> paths)
    {
        _script = Path.Combine(directory, "wrk.lua");
        File.WriteAllLines(Path.Combine(directory, "paths"), paths);
        File.WriteAllText(_script, $$"""
            local requests, i = {}, 0
            function init(args)
              for path in io.lines("{{directory}}/paths") do requests[#requests + 1] = wrk.format("GET", path) end
              math.randomseed(os.time()); i = math.random(#requests)
            end
            function request() i = i % #requests + 1; return requests[i] end
            function done(summary, latency) io.write(string.format("p99 %d bad %d count %d\n", latency:percentile(99),
                summary.errors.status + summary.errors.read + summary.errors.timeout, summary.requests)) end
            """);
    }

    public async Task<Load> LoadAsync(Uri url, MeasuredProcess server, int connections, TimeSpan time)
    {
        var before = server.Cpu;
        var threads = Math.Min(connections, Environment.ProcessorCount);
        var output = await Tools.RunAsync(
            "wrk", "-t", threads.ToString(CultureInfo.InvariantCulture), "-c", connections.ToString(CultureInfo.InvariantCulture), "-d",
                $"{time.TotalSeconds:0}s", "-s", _script, url.ToString());
        var cpu = server.Cpu - before;
        var (rate, done) = (Rate().Match(output), Done().Match(output));
        var count = Number(done.Groups[3].Value);
        return Number(done.Groups[2].Value) is 0 ? new Load(Number(rate.Groups[1].Value), Number(done.Groups[1].Value) / 1000,
            cpu.TotalMicroseconds / count) : throw new InvalidOperationException($"Not every answer was good: {output}");
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"p99 (\d+) bad (\d+) count (\d+)")]
    private static partial Regex Done();
}
