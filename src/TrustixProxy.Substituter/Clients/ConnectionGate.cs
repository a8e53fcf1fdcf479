using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Substituter.Operations;

namespace TrustixProxy.Substituter.Clients;

/// <summary>How many connections are served at once.</summary>
/// <remarks>
/// <code>
/// new connection ──▶ room? ──▶ served
///                     no: it waits, unread, for as long as a request may be held, while the oldest others are asked to end after what they answer now
///                     too many wait, or none has ended: 503 with Retry-After, to so many at once; those beyond are closed
/// </code>
/// What is held back is bounded by the system's buffers and <see cref="MaxUnread"/> for each.</remarks>
/// <param name="options">What the proxy is told now.</param>
/// <param name="time">The clock.</param>
internal sealed class ConnectionGate(Func<SubstituterOptions> options, TimeProvider time)
{
    /// <summary>The most bytes of a connection that are taken in before anyone reads them; a request has at most a third of it.</summary>
    public const int MaxUnread = 64 << 10;

    private const int MaxRefusals = 256;

    /// <summary>How long a connection is left alone, as its first request may be on its way still; and how often others are asked to end for one that waits.</summary>
    private static readonly TimeSpan Youth = TimeSpan.FromSeconds(2), AskAgain = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly LinkedList<(ConnectionContext Connection, long Since)> _oldest = []; // of those that are served, and have not been asked to end
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _served;
    private volatile int _refused;

    /// <summary>Serves a connection once there is room for it.</summary>
    public async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
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
            await next(connection);
        }
        finally
        {
            Leave(own);
        }
    }

    /// <summary>Whether a request has come by a connection that there is no room for.</summary>
    public bool IsRefused(HttpContext context) => _refused > 0 && context.Features.Get<Overflow>() is not null;

    /// <summary>Answers such a request, and ends its connection.</summary>
    public static Task AnswerAsync(HttpContext context)
    {
        context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        return ClientGate.PutOffAsync(context, "too many connections are open already; come again later\n");
    }

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

            if (_waiting.Count >= options().AllClients.Waiting)
            {
                return false;
            }

            turn = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        end.CancelAfter(options().Deadline);
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

    private int Limit => options().Connections ?? int.MaxValue;

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

        oldest.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose(); // an idle one ends at once, a busy one after its answer
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
                using var end = new CancellationTokenSource(options().HeaderTimeout, time);
                await using var abort = end.Token.Register(connection.Abort);
                await next(connection);
            }
            else
            {
                ClientMetrics.TurnedAway("overflow");
            }
        }
        finally
        {
            Interlocked.Decrement(ref _refused);
        }
    }

    /// <summary>Marks a connection that there is no room for.</summary>
    private sealed class Overflow
    {
        public static Overflow Instance { get; } = new();
    }
}
