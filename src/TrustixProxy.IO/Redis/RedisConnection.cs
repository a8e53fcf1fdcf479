using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using StackExchange.Redis;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.IO.Redis;

/// <summary>The result of a call; unanswered when Redis did not reply in time.</summary>
public readonly record struct RedisReply<T>(bool IsAnswered, T? Value);

/// <summary>The only connection to Redis. Calls never throw and never wait long; replies are untrusted bytes.</summary>
/// <remarks>The library reconnects and times out by itself (<see cref="RedisOptions.ToConfiguration"/>). A circuit breaker spares callers
/// the wait while Redis hangs.</remarks>
public sealed class RedisConnection : SupervisedService
{
    /// <summary>Interval of the ping that determines whether Redis is available; also the breaker's sampling and break duration.</summary>
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    /// <summary>Maximum size of a message in bytes: a revocation with its reason has a few hundred.</summary>
    private const int MaxMessage = 16 << 10;

    private readonly RedisOptions _options;
    private readonly ResiliencePipeline _breaker;
    private volatile ConnectionMultiplexer? _connection;
    private readonly BoundedReads _reads = new();
    private volatile bool _isThere;

    public RedisConnection(RedisOptions options, TimeProvider time, ILogger logger)
        : base(time, logger)
    {
        _options = options;
        _breaker = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is { } exception && IsAbsence(exception)),
                FailureRatio = 0.5,
                MinimumThroughput = 4,
                SamplingDuration = Beat,
                BreakDuration = Beat,
            })
            .Build();
    }

    /// <summary>Raised when Redis becomes available, for the first time or again; it may have lost all data.</summary>
    public event Action? Connected;

    /// <summary>Raised on a message from another replica, or from any other writer to Redis.</summary>
    public event Action<string>? Told;

    /// <summary>Whether Redis answered recently.</summary>
    public bool IsThere => _isThere;

    private RedisChannel Channel => RedisChannel.Literal(_options.KeyPrefix + "told");

    /// <summary>Returns the key with the configured prefix.</summary>
    public RedisKey Key(string name) => _options.KeyPrefix + name;

    /// <summary>Makes a call.</summary>
    public async Task<RedisReply<T>> AskAsync<T>(Func<IDatabase, Task<T>> call)
    {
        if (_connection is not { } connection)
        {
            return default;
        }

        try
        {
            var value = await _breaker.ExecuteAsync(async _ => await call(connection.GetDatabase()), CancellationToken.None);
            await Task.Yield(); // must not hold the thread that completes socket operations
            return new RedisReply<T>(true, value);
        }
        catch (RedisServerException exception)
        {
            Logger.RedisRefused(exception.Message); // full, for example, or another type is stored under that key
            return default;
        }
        catch (Exception exception) when (IsAbsence(exception) || exception is BrokenCircuitException)
        {
            return default;
        }
        catch (Exception exception)
        {
            // The library's other exceptions, which have no common base, and bugs here: none costs a client more than a silent Redis.
            Logger.RedisFailed(exception);
            return default;
        }
    }

    /// <summary>Reads at most <paramref name="most"/> bytes of a value. See <see cref="BoundedReads"/>.</summary>
    public Task<RedisReply<byte[]?>> ReadAsync(RedisKey key, int most) => AskAsync(database => _reads.ReadAsync(database, key, most));

    /// <inheritdoc cref="ReadAsync(RedisKey, int)"/>
    public Task<byte[]?> ReadAsync(IDatabase database, RedisKey key, int most) => _reads.ReadAsync(database, key, most);

    /// <summary>Publishes a message to all replicas, including this one.</summary>
    public void Tell(string message) => _ = AskAsync(database => database.PublishAsync(Channel, message));

    public override void Dispose()
    {
        base.Dispose();
        _connection?.Dispose();
        _reads.Dispose();
    }

    protected override IEnumerable<SupervisedLoop> Loops => [new SupervisedLoop("connection", "Redis", Beat, _ => BeatAsync())];

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
        if (_connection is null)
        {
            await ConnectAsync();
        }

        var (wasThere, reply) = (_isThere, await AskAsync(database => database.PingAsync()));
        _isThere = reply.IsAnswered;
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

    private async Task ConnectAsync()
    {
        ConnectionMultiplexer? connection = null;
        try
        {
            connection = await ConnectionMultiplexer.ConnectAsync(_options.ToConfiguration());
            connection.ConnectionRestored += (_, restored) =>
            {
                if (restored.ConnectionType is ConnectionType.Interactive && _isThere)
                {
                    Connected?.Invoke(); // it was gone for less than a beat
                }
            };
            await connection.GetSubscriber().SubscribeAsync(Channel, (_, message) => Hear(message)).WaitAsync(Beat, Time);
            _connection = connection;
        }
        catch (Exception exception)
        {
            Logger.RedisNotReached(exception.Message);
            connection?.Dispose();
        }
    }
}
