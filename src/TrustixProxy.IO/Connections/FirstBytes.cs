using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace TrustixProxy.IO.Connections;

/// <summary>Waits for a connection's first bytes, so that a silent one costs only a socket, and only briefly.</summary>
public static class FirstBytes
{
    /// <summary>Peeks a connection's first bytes, without consuming them. Empty when the client was silent for too long, or left.</summary>
    /// <param name="count">Number of bytes to wait for; fewer are returned when the client sends no more.</param>
    /// <param name="limit">Maximum wait.</param>
    public static async ValueTask<byte[]> PeekAsync(ConnectionContext connection, int count, TimeSpan limit, TimeProvider time)
    {
        var input = connection.Transport.Input;
        await using var end = time.CreateTimer(
            static state => ((ConnectionContext)state!).Abort(), connection, limit, Timeout.InfiniteTimeSpan);
        var asked = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        await using var ending = asked.UnsafeRegister(static state => ((PipeReader)state!).CancelPendingRead(), input);
        try
        {
            return await PeekAsync(input, count);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            return []; // reset, or aborted
        }
    }

    private static async ValueTask<byte[]> PeekAsync(PipeReader input, int count)
    {
        while (true)
        {
            var read = await input.ReadAsync();
            var buffer = read.Buffer;
            if (read.IsCanceled || read.IsCompleted || buffer.Length >= count)
            {
                byte[] bytes = read.IsCanceled ? [] : buffer.Slice(0, Math.Min(count, buffer.Length)).ToArray();
                input.AdvanceTo(buffer.Start);
                return bytes;
            }

            input.AdvanceTo(buffer.Start, buffer.End);
        }
    }
}
