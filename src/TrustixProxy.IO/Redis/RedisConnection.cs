using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using StackExchange.Redis;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.IO.Redis;

/// <summary>The result of a call; unanswered when Redis did not reply in time.</summary>
public readonly record struct RedisReply<T>(bool IsAnswered, T? Value);

/// <summary>The only connection to Redis: one server, what Sentinel makes the primary, or a Cluster. Calls never throw and never wait long;
/// replies are untrusted bytes.</summary>
/// <remarks>The library reconnects, follows failovers and times out by itself (<see cref="RedisOptions.ToConfiguration"/>). A circuit
/// breaker for each primary spares callers the wait while that one hangs.</remarks>
public sealed class RedisConnection : SupervisedService
{
    /// <summary>Interval of the ping that determines whether Redis is available; also a breaker's sampling and break duration.</summary>
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    /// <summary>Maximum size of a message in bytes: a revocation with its reason has a few hundred.</summary>
    private const int MaxMessage = 16 << 10;

    private readonly RedisOptions _options;
    private readonly ConcurrentDictionary<string, ResiliencePipeline> _breakers = new();
    private readonly RedisRefusals _refusals;
    private readonly BoundedReads _reads = new();
    private volatile Link? _link;
    private volatile bool _isThere;

    public RedisConnection(RedisOptions options, TimeProvider time, ILogger logger)
        : base(time, logger) => (_options, _refusals) = (options, new RedisRefusals(options, logger));

    /// <summary>Raised when Redis becomes available, for the first time or again, in a Cluster also one of its primaries; it may have lost
    /// all data.</summary>
    public event Action? Connected;

    /// <summary>Raised on a message from another replica, or from any other writer to Redis.</summary>
    public event Action<string>? Told;

    /// <summary>Whether Redis answered recently; of a Cluster, any primary.</summary>
    public bool IsThere => _isThere;

    private RedisChannel Channel => RedisChannel.Literal(_options.KeyPrefix + "told");

    /// <summary>Returns the key with the configured prefix.</summary>
    public RedisKey Key(string name) => _options.KeyPrefix + name;

    /// <summary>Returns a key that a Cluster keeps beside the others of one subject.</summary>
    /// <param name="name">What distinguishes it from the others of the subject, with the separator.</param>
    /// <param name="subject">The subject. Only in a Cluster it becomes a hash tag, so that others' keys stay as they are.</param>
    public RedisKey Key(string name, string subject) => Key(_link?.Cluster is null ? name + subject : $"{name}{{{subject}}}");

    /// <summary>Makes a call.</summary>
    /// <param name="key">The key that it reads or writes; all its keys are in one slot.</param>
    /// <param name="call">The call.</param>
    public Task<RedisReply<T>> AskAsync<T>(RedisKey key, Func<IDatabase, Task<T>> call) => _link is { } link
        ? AskAsync(BreakerOf(link.PlaceOf(key)), () => call(link.Redis.GetDatabase())) : Task.FromResult<RedisReply<T>>(default);

    /// <summary>Reads at most <paramref name="most"/> bytes of a value. See <see cref="BoundedReads"/>.</summary>
    public Task<RedisReply<byte[]?>> ReadAsync(RedisKey key, int most) => AskAsync(key, database => _reads.ReadAsync(database, key, most));

    /// <inheritdoc cref="ReadAsync(RedisKey, int)"/>
    public Task<byte[]?> ReadAsync(IDatabase database, RedisKey key, int most) => _reads.ReadAsync(database, key, most);

    /// <summary>Publishes a message to all replicas, including this one.</summary>
    public void Tell(string message)
    {
        if (_link is { } link)
        {
            _ = AskAsync(BreakerOf("messages"), () => link.Redis.GetDatabase().PublishAsync(Channel, message));
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _link?.Redis.Dispose();
        _reads.Dispose();
    }

    protected override IEnumerable<SupervisedLoop> Loops => [new SupervisedLoop("connection", "Redis", Beat, _ => BeatAsync())];

    private async Task<RedisReply<T>> AskAsync<T>(ResiliencePipeline breaker, Func<Task<T>> call)
    {
        try
        {
            var value = await breaker.ExecuteAsync(async _ => await call(), CancellationToken.None);
            await Task.Yield(); // must not hold the thread that completes socket operations
            return new RedisReply<T>(true, value);
        }
        catch (RedisServerException exception)
        {
            _refusals.Tell(exception); // a denied command; or it is full, or another type is stored under that key
            return default;
        }
        catch (Exception exception) when (IsAbsence(exception) || exception is BrokenCircuitException)
        {
            _refusals.TellOfLoss(exception);
            return default;
        }
        catch (Exception exception)
        {
            // The library's other exceptions, which have no common base, and bugs here: none costs a client more than a silent Redis.
            Logger.RedisFailed(exception);
            return default;
        }
    }

    private ResiliencePipeline BreakerOf(string place) => _breakers.GetOrAdd(place, _ =>
        new ResiliencePipelineBuilder { TimeProvider = Time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is { } exception && IsAbsence(exception)),
                FailureRatio = 0.5,
                MinimumThroughput = 4,
                SamplingDuration = Beat,
                BreakDuration = Beat,
            })
            .Build());

    /// <summary>Raises <see cref="Told"/>; drops a message longer than replicas send.</summary>
    private void Hear(RedisValue message)
    {
        if (message.Length() <= MaxMessage)
        {
            Told?.Invoke(message.ToString());
        }
    }

    private static bool IsAbsence(Exception exception) =>
        exception is TimeoutException or RedisException and not RedisServerException or ObjectDisposedException
        or OperationCanceledException;

    private async Task BeatAsync()
    {
        if (_link is null)
        {
            await ConnectAsync();
        }

        var wasThere = _isThere;
        _isThere = _link is { } link && await IsAnsweringAsync(link);
        if (_isThere == wasThere)
        {
            return;
        }

        if (_isThere)
        {
            Logger.RedisIsThere();
            Connected?.Invoke();
        }
        else
        {
            Logger.RedisIsGone();
        }
    }

    /// <summary>Whether a primary answers.</summary>
    private async Task<bool> IsAnsweringAsync(Link link)
    {
        if (link.Cluster is null)
        {
            return (await AskAsync(BreakerOf(""), () => link.Redis.GetDatabase().PingAsync(CommandFlags.DemandMaster))).IsAnswered;
        }

        var pings = await Task.WhenAll(link.Redis.GetServers().Where(server => !server.IsReplica)
            .Select(server => AskAsync(BreakerOf($"{server.EndPoint}"), () => server.PingAsync())));
        return pings.Any(ping => ping.IsAnswered);
    }

    private async Task ConnectAsync()
    {
        ConnectionMultiplexer? connection = null;
        try
        {
            connection = await ConnectionMultiplexer.ConnectAsync(_options.ToConfiguration());
            connection.ConnectionRestored += (_, restored) =>
            {
                _refusals.Forget();
                if (restored.ConnectionType is ConnectionType.Interactive && _isThere)
                {
                    Connected?.Invoke(); // it was gone for less than a beat
                }
            };
            await connection.GetSubscriber().SubscribeAsync(Channel, (_, message) => Hear(message)).WaitAsync(Beat, Time);
            _link = new Link(connection,
                connection.GetServers().FirstOrDefault(server => server is { IsConnected: true, ServerType: ServerType.Cluster }));
        }
        catch (Exception exception)
        {
            _refusals.TellOfConnecting(exception);
            connection?.Dispose();
        }
    }

    /// <param name="Redis">The connections.</param>
    /// <param name="Cluster">A node that knows the Cluster; null without one.</param>
    private sealed record Link(ConnectionMultiplexer Redis, IServer? Cluster)
    {
        /// <summary>Returns the primary that has a key, as far as this node knows: enough to tell primaries apart.</summary>
        public string PlaceOf(RedisKey key) => Cluster is null ? "" : $"{Cluster.ClusterConfiguration?.GetBySlot(key)?.EndPoint}";
    }
}
