using System.Threading.RateLimiting;
using TrustixProxy.IO.Streams;
using TrustixProxy.Substituter.Fairness;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Throttles a response body to its client's byte rate.</summary>
/// <param name="bytes">Limiter of bytes.</param>
/// <param name="atOnce">Maximum bytes acquired at once, at most the smallest limit.</param>
internal sealed class MeteredStream(Stream body, PartitionedRateLimiter<Requester> bytes, Requester client, int atOnce)
    : WriteOnlyStream(body)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        for (; !buffer.IsEmpty; buffer = buffer[Math.Min(atOnce, buffer.Length)..])
        {
            var part = buffer[..Math.Min(atOnce, buffer.Length)];
            await WaitAsync(part.Length, cancellationToken);
            await Body.WriteAsync(part, cancellationToken);
        }
    }

    private async Task WaitAsync(int size, CancellationToken cancellation)
    {
        while (true)
        {
            using var lease = await bytes.AcquireAsync(client, size, cancellation);
            if (lease.IsAcquired)
            {
                return;
            }

            await Task.Delay(Pause, cancellation); // the limiter's queue is full
        }
    }
}
