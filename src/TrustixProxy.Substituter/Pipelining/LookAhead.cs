using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Pipelining;

/// <summary>Decides on requests that wait on connections, one of each connection in turn. The requests then find decisions in memory,
/// or under way.</summary>
/// <param name="decide">Decides on a path, as for a request.</param>
/// <param name="isWarm">Whether the decision on a path is in memory.</param>
/// <param name="most">Maximum requests being decided ahead, over all connections.</param>
internal sealed class LookAhead(
    Func<StorePathDigest, CancellationToken, Task> decide, Predicate<StorePathDigest> isWarm, int most, TimeProvider time, ILogger logger)
{
    /// <summary>Default maximum of requests being decided ahead.</summary>
    private const int Default = 256;

    private readonly Lock _lock = new();
    private readonly Queue<PipelinedConnection> _turns = new();
    private readonly HashSet<PipelinedConnection> _queued = [];
    private int _underway;
    private bool _isRetired;

    /// <summary>Maximum for a number of concurrent decisions: half of them are left to other requests.</summary>
    public static int MostOf(int concurrency) => Math.Clamp(concurrency / 2, 1, Default);

    /// <summary>Whether nothing needs to be decided for a request.</summary>
    public bool IsWarm(AheadRequest request) => isWarm(request.Digest!);

    /// <summary>Decides on what waits on a connection, as far as its client's limits and the turns of others allow.</summary>
    public void Offer(PipelinedConnection connection)
    {
        lock (_lock)
        {
            if (!_isRetired && _queued.Add(connection))
            {
                _turns.Enqueue(connection);
            }
        }

        StartAll();
    }

    /// <summary>Starts nothing more; another configuration takes over.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            _isRetired = true;
            _turns.Clear();
            _queued.Clear();
        }
    }

    private void StartAll()
    {
        while (StartNext() is { } started)
        {
            // without the context of the request that gave the turn: it may be another client's
            ThreadPool.UnsafeQueueUserWorkItem(
                static item => _ = item.Ahead.DecideAsync(item.Connection, item.Request),
                (Ahead: this, started.Connection, started.Request), preferLocal: false);
        }
    }

    private (PipelinedConnection Connection, AheadRequest Request)? StartNext()
    {
        lock (_lock)
        {
            while (!_isRetired && _underway < most && _turns.TryDequeue(out var connection))
            {
                if (connection.StartNext(this) is { } request)
                {
                    _underway++;
                    _turns.Enqueue(connection);
                    return (connection, request);
                }

                _queued.Remove(connection);
            }

            return null;
        }
    }

    private async Task DecideAsync(PipelinedConnection connection, AheadRequest request)
    {
        try
        {
            await decide(request.Digest!, connection.Closed);
        }
        catch (OperationCanceledException) when (connection.Closed.IsCancellationRequested)
        {
            // The client disconnected.
        }
        catch (Exception exception)
        {
            logger.DecidingFailed(exception, $"{request.Digest}");
        }

        lock (_lock)
        {
            _underway--;
        }

        connection.End(request, time.GetTimestamp());
        Offer(connection);
    }
}
