using System.Threading.RateLimiting;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>An answer's body that goes out no faster than its client may be served.</summary>
/// <param name="body">Where it goes.</param>
/// <param name="bytes">What bounds it.</param>
/// <param name="client">Whose it is.</param>
/// <param name="atOnce">The most bytes that are waited for together: no more than any limit has.</param>
internal sealed class MeteredStream(Stream body, PartitionedRateLimiter<string> bytes, string client, int atOnce) : WriteOnlyStream(body)
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

            await Task.Delay(Pause, cancellation); // more are waiting than a limiter takes
        }
    }
}
