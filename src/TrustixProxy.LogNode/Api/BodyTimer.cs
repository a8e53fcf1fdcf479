using Microsoft.AspNetCore.Http;

namespace TrustixProxy.LogNode.Api;

/// <summary>Ends the connection of a client that does not send its request, or take its answer, in a bounded time.</summary>
/// <remarks>The server's own rate is one over a whole connection: who was fast for a while may then be silent for as long. What is there at
/// once starts no timer.</remarks>
internal sealed class BodyTimer(HttpContext http, TimeProvider time) : IDisposable
{
    /// <summary>How long any body may take, and how much longer for each second's worth of bytes.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private const int BytesPerSecond = 64 << 10;

    private ITimer? _end;

    /// <summary>Waits for a part of a body that has <paramref name="most"/> bytes at most; all waits share one limit.</summary>
    public ValueTask<int> WaitAsync(ValueTask<int> reading, int most)
    {
        Start(reading.IsCompleted, most);
        return reading;
    }

    /// <inheritdoc cref="WaitAsync(ValueTask{int}, int)"/>
    public ValueTask WaitAsync(ValueTask writing, int most)
    {
        Start(writing.IsCompleted, most);
        return writing;
    }

    public void Dispose() => _end?.Dispose();

    private void Start(bool isDone, int most)
    {
        if (!isDone)
        {
            _end ??= time.CreateTimer(
                static state => ((HttpContext)state!).Abort(),
                http,
                Grace + TimeSpan.FromSeconds((double)most / BytesPerSecond),
                Timeout.InfiniteTimeSpan);
        }
    }
}
