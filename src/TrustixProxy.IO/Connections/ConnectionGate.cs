using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.IO.Connections;

/// <summary>Limits a server's connections, in total and per client.</summary>
/// <remarks>
/// <code>
/// new connection ──▶ its client has too many? ──▶ closed at once
///                ──▶ room? ──▶ served, until its socket is closed
///                     no: it waits unread, while the oldest others are asked to end after their current response
///                     too many wait, or none ends: a bounded number get 503; further ones are closed
/// </code>
/// The system's buffers and <see cref="MaxUnread"/> bound the memory of a waiting connection.</remarks>
/// <param name="limits">The first limits.</param>
public sealed class ConnectionGate(ConnectionLimits limits, TimeProvider time)
{
    /// <summary>Maximum bytes buffered of a connection before they are read; a request may use a third.</summary>
    public const int MaxUnread = 64 << 10;

    private const int MaxRefusals = 256;

    private const int UserTimeout = 18; // Linux's TCP_USER_TIMEOUT: maximum time without any byte acknowledged

    /// <summary>Maximum bytes left in our buffer after the last response was written.</summary>
    private const int MaxUnsent = 64 << 10;

    /// <summary>How long a new connection is not asked to end, since its first request may be on its way; and the interval between requests
    /// to end.</summary>
    private static readonly TimeSpan Youth = TimeSpan.FromSeconds(2), AskAgain = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    // connections being served that were not yet asked to end
    private readonly LinkedList<(ConnectionContext Connection, long Since)> _oldest = [];
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private readonly ClientShares _shares = new();
    private volatile ConnectionLimits _limits = limits;
    private int _served;
    private volatile int _refused;

    /// <summary>Raised for each connection that is refused or closed without a response.</summary>
    public event Action? TurnedAway;

    /// <summary>The current limits.</summary>
    public ConnectionLimits Limits
    {
        get => _limits;
        set => _limits = value;
    }

    /// <summary>Serves a connection once there is room, and ensures that it is closed.</summary>
    public async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (FindClient(connection, _limits) is not { } client)
        {
            await ServeCountedAsync(connection, next);
            return;
        }

        if (!_shares.TryTake(client, _limits.PerClient ?? int.MaxValue))
        {
            TurnedAway?.Invoke();
            return;
        }

        try
        {
            await ServeCountedAsync(connection, next);
        }
        finally
        {
            _shares.Return(client);
        }
    }

    /// <summary>Peeks a connection's first bytes; empty when the client is silent for too long. See <see cref="FirstBytes"/>.</summary>
    public ValueTask<byte[]> PeekAsync(ConnectionContext connection, int count) =>
        FirstBytes.PeekAsync(connection, count, _limits.HeaderTimeout, time);

    /// <summary>Whether a request came over a connection for which there is no room.</summary>
    public bool IsRefused(HttpContext context) => _refused > 0 && context.Features.Get<Overflow>() is not null;

    /// <summary>Responds 503 to such a client, and closes its connection.</summary>
    public Task RefuseAsync(HttpContext context)
    {
        TurnedAway?.Invoke();
        context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        (context.Response.Headers.RetryAfter, context.Response.Headers.CacheControl) = ("1", "no-store");
        return context.WriteTextAsync(StatusCodes.Status503ServiceUnavailable, "too many open connections; retry later\n");
    }

    /// <summary>Returns the client a connection counts for; null when no limit per client applies.</summary>
    private static ClientAddress? FindClient(ConnectionContext connection, ConnectionLimits limits) =>
        connection.RemoteEndPoint is IPEndPoint { Address: var address } && limits.PerClient is not null && !IsProxy(address, limits)
            ? ClientAddress.Of(address)
            : null;

    private static bool IsProxy(IPAddress address, ConnectionLimits limits)
    {
        if (limits.Proxies.Count is 0)
        {
            return false;
        }

        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return limits.Proxies.Any(network => network.Contains(plain));
    }

    private async Task ServeCountedAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (!await EnterAsync(connection))
        {
            await (connection.ConnectionClosed.IsCancellationRequested ? Task.CompletedTask : RefuseAsync(connection, next));
            return;
        }

        LinkedListNode<(ConnectionContext, long)> own;
        lock (_lock)
        {
            own = _oldest.AddLast((connection, time.GetTimestamp()));
        }

        try
        {
            LimitStalls(connection);
            await ServeToEndAsync(connection, next);
        }
        finally
        {
            Leave(own);
        }
    }

    private async Task ServeToEndAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            await next(connection);
        }
        finally
        {
            await CloseAsync(connection);
        }
    }

    /// <summary>Sets the system's timeout for a client that reads nothing of what is sent. The server only limits the rate over the whole
    /// connection.</summary>
    private void LimitStalls(ConnectionContext connection)
    {
        if (OperatingSystem.IsLinux()
            && connection.Features.Get<IConnectionSocketFeature>()?.Socket is { AddressFamily: not AddressFamily.Unix } socket)
        {
            try
            {
                socket.SetRawSocketOption(
                    (int)SocketOptionLevel.Tcp, UserTimeout, BitConverter.GetBytes((int)TimeToSend(MaxUnsent).TotalMilliseconds));
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // The client has left already.
            }
        }
    }

    /// <summary>Waits a bounded time until the response is sent and the socket closed; the connection counts until then.</summary>
    private async Task CloseAsync(ConnectionContext connection)
    {
        var closing = connection.DisposeAsync();
        if (closing.IsCompletedSuccessfully)
        {
            return;
        }

        var closed = closing.AsTask();
        try
        {
            await closed.WaitAsync(TimeToSend(MaxUnsent), time);
        }
        catch (TimeoutException)
        {
            connection.Abort();
            await closed;
        }
    }

    private TimeSpan TimeToSend(int bytes) => _limits.Grace + TimeSpan.FromSeconds((double)bytes / _limits.LeastBytesPerSecond);

    private async ValueTask<bool> EnterAsync(ConnectionContext connection)
    {
        LinkedListNode<TaskCompletionSource> turn;
        lock (_lock)
        {
            if (_waiting.Count is 0 && _served < Limit)
            {
                _served++;
                return true;
            }

            if (_waiting.Count >= Math.Min(_limits.Waiting, _limits.MostWaiting))
            {
                return false;
            }

            turn = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        using var end = new CancellationTokenSource(_limits.Wait, time);
        await using var left = connection.ConnectionClosed.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), end);
        while (!turn.Value.Task.IsCompleted && !end.IsCancellationRequested)
        {
            AskOldestToEnd();
            await turn.Value.Task.WaitAsync(AskAgain, time, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        lock (_lock)
        {
            if (!turn.Value.Task.IsCompleted)
            {
                _waiting.Remove(turn);
            }

            return turn.Value.Task.IsCompleted;
        }
    }

    private int Limit => _limits.Connections ?? int.MaxValue;

    private void AskOldestToEnd()
    {
        ConnectionContext oldest;
        lock (_lock)
        {
            if (_oldest.First is not { } first || time.GetElapsedTime(first.Value.Since) < Youth)
            {
                return;
            }

            oldest = first.Value.Connection;
            _oldest.Remove(first);
        }

        // an idle one ends at once, a busy one after its answer
        oldest.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
    }

    private void Leave(LinkedListNode<(ConnectionContext, long)> own)
    {
        lock (_lock)
        {
            if (own.List is not null)
            {
                _oldest.Remove(own);
            }

            for (_served--; _served < Limit && _waiting.First is { } turn; _served++)
            {
                _waiting.Remove(turn);
                turn.Value.SetResult();
            }
        }
    }

    private async Task RefuseAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _refused) <= MaxRefusals)
            {
                connection.Features.Set(Overflow.Instance);
                using var end = new CancellationTokenSource(_limits.HeaderTimeout, time);
                await using var abort = end.Token.Register(connection.Abort);
                await ServeToEndAsync(connection, next);
            }
            else
            {
                TurnedAway?.Invoke();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _refused);
        }
    }

    /// <summary>Marks a connection for which there is no room.</summary>
    private sealed class Overflow
    {
        public static Overflow Instance { get; } = new();
    }
}
