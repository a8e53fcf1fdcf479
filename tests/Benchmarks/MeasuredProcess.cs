using System.Diagnostics;
using System.Globalization;

namespace TrustixProxy.Benchmarks;

/// <summary>A process that is measured, with its children.</summary>
internal sealed class MeasuredProcess(Process process) : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10); // _SC_CLK_TCK is 100 on every Linux that .NET runs on

    /// <summary>Where the program is as it is installed.</summary>
    public static string ProgramPath { get; } = Path.Combine(AppContext.BaseDirectory, "program", "trustix-proxy");

    /// <summary>The program as it is installed, with a configuration.</summary>
    /// <param name="hosts">A file that it sees as <c>/etc/hosts</c>; null for the machine's.</param>
    public static Process Program(string[] arguments, string? hosts = null)
    {
        string[] namespaced = hosts is null ? []
            : ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\"", hosts];
        string[] line = [.. namespaced, ProgramPath, .. arguments];
        return Process.Start(new ProcessStartInfo(line[0], line[1..]) { RedirectStandardError = true })!;
    }

    /// <summary>CPU time of all its threads until now, in user and system mode, and of its children.</summary>
    public TimeSpan Cpu => Family().Aggregate(TimeSpan.Zero, (sum, id) =>
    {
        var fields = File.ReadAllText($"/proc/{id}/stat").Split(") ")[1].Split(' ');
        return sum + (Tick * (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)));
    });

    /// <summary>Bytes that it has read and written until now, from and to the page cache or elsewhere; its own.</summary>
    public (long Read, long Written) Bytes
    {
        get
        {
            var lines = File.ReadAllLines($"/proc/{process.Id}/io");
            long Read(string name) => long.Parse(
                lines.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture);
            return (Read("rchar: "), Read("wchar: "));
        }
    }

    /// <summary>Memory in use, with its children's, in MB; what they share counts once.</summary>
    public double FamilyMemory => Family().Sum(id => double.Parse(
        File.ReadLines($"/proc/{id}/smaps_rollup").Single(line => line.StartsWith("Pss:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)) / 1024;

    /// <summary>Memory in use, and the most there ever was, in MB; its own.</summary>
    public (double Now, double Most) Memory
    {
        get
        {
            double Read(string name) =>
                double.Parse(File.ReadLines($"/proc/{process.Id}/status").Single(line => line.StartsWith(name, StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
            return (Read("VmRSS:"), Read("VmHWM:"));
        }
    }

    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
    }

    private IEnumerable<int> Family() => Directory.GetDirectories($"/proc/{process.Id}/task")
        .SelectMany(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Select(id => int.Parse(id, CultureInfo.InvariantCulture)).Prepend(process.Id);
}
