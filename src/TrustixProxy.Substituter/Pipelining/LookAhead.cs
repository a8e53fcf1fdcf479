using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;


namespace TrustixProxy.Substituter.Pipelining;

/// <summary>Decides on requests that wait on connections, one of each client in turn, and of each of its connections. The requests then
/// find decisions in memory, or under way.</summary>
/// <param name="decide">Decides on a path, as for a request.</param>
/// <param name="isWarm">Whether the decision on a path is in memory.</param>
/// <param name="most">Maximum requests being decided ahead, over all connections.</param>
internal sealed class LookAhead(
    Func<StorePathDigest, CancellationToken, Task> decide, Predicate<StorePathDigest> isWarm, int most, TimeProvider time, ILogger logger)
{
    /// <summary>Default maximum of requests being decided ahead.</summary>
    private const int Default = 256;

    private readonly Lock _lock = new();
    private readonly FairQueue<PipelinedConnection> _turns = new(
        most, share: Math.Max(most / 2, Math.Min(most, PipelinedConnection.MostAtOnce)));
    private readonly HashSet<PipelinedConnection> _queued = [];
    private bool _isRetired;

    /// <summary>Maximum for a number of concurrent decisions: half of them are left to other requests.</summary>
    public static int MostOf(int concurrency) => Math.Clamp(concurrency / 2, 1, Default);

    /// <summary>Whether nothing needs to be decided for a request.</summary>
    public bool IsWarm(AheadRequest request) => isWarm(request.Digest!);

    /// <summary>Decides on what waits on a connection, as far as its client's limits and the turns of others allow.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="requester">Whose requests they are.</param>
    public void Offer(PipelinedConnection connection, Requester requester)
    {
        lock (_lock)
        {
            if (!_isRetired && _queued.Add(connection))
            {
                _turns.Add(requester, connection);
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
        }
    }

    private void StartAll()
    {
        while (StartNext() is { } started)
        {
            // without the context of the request that gave the turn: it may be another client's
            ThreadPool.UnsafeQueueUserWorkItem(
                static item => _ = item.Ahead.DecideAsync(item.Place, item.Request),
                (Ahead: this, started.Place, started.Request), preferLocal: false);
        }
    }

    private (FairQueue<PipelinedConnection>.Place Place, AheadRequest Request)? StartNext()
    {
        lock (_lock)
        {
            while (!_isRetired && _turns.Take() is { } place)
            {
                if (place.Item.StartNext(this) is { } request)
                {
                    _turns.Add(place.Requester, place.Item);
                    return (place, request);
                }

                _turns.Return(place);
                _queued.Remove(place.Item);
            }

            return null;
        }
    }

    private async Task DecideAsync(FairQueue<PipelinedConnection>.Place place, AheadRequest request)
    {
        var connection = place.Item;
        place.Requester.Follow();
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
            _turns.Return(place);
        }

        connection.End(request, time.GetTimestamp());
        Offer(connection, place.Requester);
    }
}
