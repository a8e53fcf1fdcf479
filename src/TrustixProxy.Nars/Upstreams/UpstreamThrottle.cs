using System.Collections.Concurrent;
using System.Net;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Applies the pauses an upstream asks for (RFC 9110, Retry-After), within bounds.</summary>
/// <remarks>A response about one object pauses that object. Several different ones within a short time pause the upstream.</remarks>
/// <param name="health">Notified when the whole upstream pauses.</param>
internal sealed class UpstreamThrottle(UpstreamHealth health, TimeProvider time)
{
    /// <summary>Number of different objects within <see cref="Window"/> that pause the upstream.</summary>
    private const int ManyObjects = 3;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    /// <summary>The pause after a 429 without one, and the longest pause an upstream can ask for.</summary>
    private static readonly TimeSpan ShortPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, (DateTimeOffset Asked, DateTimeOffset Until)> _objects = new(StringComparer.Ordinal);

    /// <summary>Whether an object must not be asked for now.</summary>
    public bool IsHeld(Uri address) =>
        health.HeldFor > TimeSpan.Zero
        || (!_objects.IsEmpty && _objects.TryGetValue(address.AbsoluteUri, out var held) && IsWithin(held.Until - time.GetUtcNow()));

    /// <summary>Applies a response's Retry-After.</summary>
    public void ApplyRetryAfter(Uri address, HttpResponseMessage response)
    {
        var isTooMany = response.StatusCode is HttpStatusCode.TooManyRequests;
        if (!isTooMany && (int)response.StatusCode < 500)
        {
            return;
        }

        var now = time.GetUtcNow();
        var asked = response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - now : null;
        var pause = asked ?? (isTooMany ? ShortPause : TimeSpan.Zero);
        if (pause <= TimeSpan.Zero)
        {
            return;
        }

        var until = now + (pause < LongestPause ? pause : LongestPause);
        _objects[address.AbsoluteUri] = (now, until);
        foreach (var (key, held) in _objects)
        {
            if (held.Until <= now && held.Asked + Window <= now)
            {
                _objects.TryRemove(key, out _);
            }
        }

        if (_objects.Values.Count(held => held.Asked + Window > now) >= ManyObjects)
        {
            health.Hold(until, new UpstreamFault(UpstreamFailure.Throttled, (int)response.StatusCode));
        }
    }

    /// <remarks>A clock set back must not extend a pause beyond the longest.</remarks>
    private static bool IsWithin(TimeSpan left) => left > TimeSpan.Zero && left <= LongestPause;
}
