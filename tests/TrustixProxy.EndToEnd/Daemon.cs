using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.Testing;

namespace TrustixProxy.EndToEnd;

/// <summary>The executable as a process of its own, as a user starts it.</summary>
internal sealed partial class Daemon : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly TaskCompletionSource<string[]> _urls = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Daemon(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    /// <summary>The process's number.</summary>
    public int Id => _process.Id;

    /// <summary>Where it listens, in the order of its configuration.</summary>
    public string[] Urls => _urls.Task.Result;

    public string Lines => string.Join('\n', _lines);

    /// <summary>Runs a verb to its end.</summary>
    public static Task<Result> RunAsync(IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null) =>
        Shell.RunAsync(Executable.Command[0], [.. Executable.Command.Skip(1), .. arguments], environment);

    /// <summary>Starts a verb with a configuration, and waits until it listens.</summary>
    public static async Task<Daemon> StartAsync(IEnumerable<string> verb, string directory, object configuration)
    {
        var file = Path.Combine(directory, $"{Guid.NewGuid():n}.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(configuration));
        var daemon = new Daemon(
            Process.Start(Shell.Start(Executable.Command[0], [.. Executable.Command.Skip(1), .. verb, "--config", file], null))!);
        await daemon._urls.Task.WaitAsync(TimeSpan.FromSeconds(30));
        return daemon;
    }

    /// <summary>Ends it without a word, as a power cut does.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    [GeneratedRegex("^serving.* at (.*)$")]
    private static partial Regex Serving { get; }

    private void Hear(string? line)
    {
        if (line is null)
        {
            _urls.TrySetException(new InvalidOperationException($"It ended: {Lines}"));
            return;
        }

        _lines.Enqueue(line);
        if (Serving.Match(line) is { Success: true } match)
        {
            _urls.TrySetResult(match.Groups[1].Value.Split(", "));
        }
    }
}
