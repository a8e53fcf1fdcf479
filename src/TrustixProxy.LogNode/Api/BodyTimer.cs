using Microsoft.AspNetCore.Http;

namespace TrustixProxy.LogNode.Api;

/// <summary>Closes the connection of a client that does not send its request, or read its response, in a bounded time.</summary>
/// <remarks>The server's own limit is a rate over the whole connection: a client fast at first may then be silent for as long. Data
/// available at once starts no timer.</remarks>
internal sealed class BodyTimer(HttpContext http, TimeProvider time) : IDisposable
{
    /// <summary>Time allowed for any body.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    /// <summary>Minimum rate: this many bytes of a body extend the time by a second.</summary>
    private const int BytesPerSecond = 64 << 10;

    private ITimer? _end;

    /// <summary>Waits for part of a body of at most <paramref name="most"/> bytes; all waits share one limit.</summary>
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
