using System.Collections.Concurrent;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>Holds what an upstream is asked until the test lets go, and counts it.</summary>
internal sealed class HeldUpstream
{
    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly Lock _lock = new();
    private int _underway;

    public HeldUpstream(FakeUpstream upstream) => upstream.Intercept = async context =>
    {
        var path = context.Request.Path.Value!;
        if (!path.EndsWith(".narinfo", StringComparison.Ordinal))
        {
            return false;
        }

        _asked.Enqueue(path[1..^".narinfo".Length]);
        lock (_lock)
        {
            Most = Math.Max(Most, ++_underway);
        }

        Asked?.Invoke();
        await _go.Task;
        await Task.Delay(Delay);
        lock (_lock)
        {
            _underway--;
        }

        return false;
    };

    /// <summary>The digests it was asked for, in order.</summary>
    public IReadOnlyCollection<string> Digests => _asked;

    /// <summary>The most requests that were under way together.</summary>
    public int Most { get; private set; }

    /// <summary>How long an answer takes once it is let go.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Called for each request.</summary>
    public Action? Asked { get; init; }

    public void LetGo() => _go.TrySetResult();
}
