using System.Diagnostics;

namespace TrustixProxy.Testing;

/// <summary>Waits for what comes to pass by the work of others.</summary>
public static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <param name="isSo">Asked every few milliseconds.</param>
    /// <param name="seconds">How long it may take.</param>
    /// <exception cref="TimeoutException">It did not become so.</exception>
    public static Task UntilAsync(Func<bool> isSo, int seconds = 30) => UntilAsync(() => Task.FromResult(isSo()), seconds);

    /// <inheritdoc cref="UntilAsync(Func{bool}, int)"/>
    public static async Task UntilAsync(Func<Task<bool>> isSo, int seconds = 30)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await isSo())
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds))
            {
                throw new TimeoutException($"It is not so after {seconds} s.");
            }

            await Task.Delay(Pause);
        }
    }
}
