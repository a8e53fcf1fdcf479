using System.Diagnostics;

namespace TrustixProxy.EndToEnd;

/// <summary>What a command came to.</summary>
internal sealed record Result(int Code, string Output, string Error)
{
    public override string ToString() => $"exit {Code}\n{Output}\n{Error}";

    public Result OrThrow() => Code is 0 ? this : throw new InvalidOperationException(ToString());
}

/// <summary>Runs commands, each within a time.</summary>
internal static class Shell
{
    public static async Task<Result> RunAsync(
        string command, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, int seconds = 60)
    {
        using var process = Process.Start(Start(command, arguments, environment))!;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var (output, error) = (process.StandardOutput.ReadToEndAsync(timeout.Token), process.StandardError.ReadToEndAsync(timeout.Token));
        try
        {
            await process.WaitForExitAsync(timeout.Token);
            return new Result(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{command} {string.Join(' ', arguments)} took more than {seconds} s");
        }
    }

    public static ProcessStartInfo Start(string command, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return start;
    }
}
