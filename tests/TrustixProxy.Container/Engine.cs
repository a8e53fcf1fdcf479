using System.Diagnostics;
using System.Globalization;

namespace TrustixProxy.Container;

/// <summary>A Docker daemon of the suite's own, in a network of its own, while it is held.</summary>
internal sealed class Engine : IAsyncDisposable
{
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "engine");

    private readonly string _lab;
    private readonly Process _daemon;

    private Engine(string lab, Process daemon, int process) => (_lab, _daemon, Process) = (lab, daemon, process);

    /// <summary>Whether this is root, and the base images, or what stands in for them, are there.</summary>
    public static bool IsAtHand { get; } = Environment.IsPrivilegedProcess
        && Shell.RunAsync(Script, ["list"]).GetAwaiter().GetResult().OrThrow().Output.Length > 0;

    /// <summary>A process in the daemon's network.</summary>
    public int Process { get; }

    /// <summary>Runs Docker's command line where builds have this machine's network.</summary>
    public static Task<Result> BuildAsync(string lab, params string[] words) =>
        Shell.RunAsync(Script, ["outside", lab, "docker", .. words], seconds: 1200);

    public static async Task<Engine> StartAsync(string lab)
    {
        var daemon = System.Diagnostics.Process.Start(
            new ProcessStartInfo(Script, ["inside", lab]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var said = await daemon.StandardOutput.ReadLineAsync(timeout.Token);
        return said is null ? throw new InvalidOperationException($"the daemon ended: {await File.ReadAllTextAsync($"{lab}/dockerd.log")}")
            : new Engine(lab, daemon, int.Parse(said, CultureInfo.InvariantCulture));
    }

    /// <summary>Runs Docker's command line.</summary>
    public Task<Result> RunAsync(params IEnumerable<string> words) => Shell.RunAsync(Script, ["docker", _lab, .. words],
        new Dictionary<string, string> { ["TRUSTIX_SPOOL"] = Path.Combine(_lab, "spool") }, seconds: 180);

    /// <summary>Runs a command of this machine in the daemon's network, where the tour's ports are.</summary>
    public Task<Result> RunBesideAsync(IReadOnlyDictionary<string, string>? environment, params IEnumerable<string> command) =>
        Shell.RunAsync("nsenter", ["--target", $"{Process}", "--net", .. command], environment);

    /// <summary>Sends a signal to a process that the daemon knows by this number.</summary>
    public Task<Result> SignalAsync(string signal, string process) =>
        Shell.RunAsync("nsenter", ["--target", $"{Process}", "--pid", "sh", "-c", $"kill -{signal} {process}"]);

    public async ValueTask DisposeAsync()
    {
        _daemon.StandardInput.Close();
        await _daemon.WaitForExitAsync();
        _daemon.Dispose();
    }
}

/// <summary>A fact about the real containers, skipped where no base images are at hand.</summary>
/// <remarks><c>tests/run</c> counts a skipped test as failed where <c>CI=true</c>.</remarks>
internal sealed class ContainerFactAttribute : FactAttribute
{
    public ContainerFactAttribute()
    {
        if (!Engine.IsAtHand)
        {
            Skip = "Base images are missing: run tests/Container/engine make, and the tests, as root.";
        }
    }
}
