using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace TrustixProxy.IO.Connections;

/// <summary>Waits for the first bytes of a connection, so that a silent one costs no more than its socket, and that not for long.</summary>
public static class FirstBytes
{
    /// <summary>The first bytes of a connection, as far as they have come; they stay in it. Empty when the client was silent for too long,
    /// or left.</summary>
    /// <param name="count">How many bytes are waited for; fewer are given where the client sends no more.</param>
    /// <param name="limit">How long the client may take.</param>
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
