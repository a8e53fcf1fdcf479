using StackExchange.Redis;
using TrustixProxy.IO.Redis;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Lease to decide on a digest, renewed while held; other replicas wait for it. Without Redis, every replica holds it.</summary>
internal sealed class DecisionTurn(RedisConnection redis, RedisKey key, string message, TimeProvider time) : IDisposable
{
    private const string Renew =
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";

    private const string Release = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

    private readonly string _token = Guid.NewGuid().ToString("n");
    private readonly Lock _state = new();
    private ITimer? _renewing;
    private bool _isRefused, _isOver;

    /// <summary>Whether this replica may decide: it holds the lease, or leases are unavailable.</summary>
    public bool IsOurs => _renewing is not null || _isRefused;

    /// <summary>Takes the lease if it is free.</summary>
    public async Task TakeAsync(IDatabase database)
    {
        try
        {
            if (await database.StringSetAsync(key, _token, SharedDecisions.Lease, When.NotExists))
            {
                Hold();
            }
        }
        catch (RedisServerException)
        {
            _isRefused = true; // for example it is full, but can still be read
        }
    }

    /// <summary>Releases the lease; waiting replicas then read the decision.</summary>
    public void Dispose()
    {
        lock (_state)
        {
            _isOver = true;
            if (_renewing is not null)
            {
                _renewing.Dispose();
                Run(Release);
                redis.Tell(message);
            }
        }
    }

    private void Hold()
    {
        lock (_state)
        {
            if (_isOver)
            {
                Run(Release); // the reply came too late
                return;
            }

            _renewing = time.CreateTimer(
                _ => Run(Renew, (long)SharedDecisions.Lease.TotalMilliseconds), null, SharedDecisions.Lease / 3, SharedDecisions.Lease / 3);
        }
    }

    private void Run(string script, params object[] arguments) =>
        _ = redis.AskAsync(key, database => database.ExecuteAsync("EVAL", [script, 1, key, _token, .. arguments]));
}
