using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using StackExchange.Redis;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.IO.Redis;

/// <summary>What came of a call: nothing, when Redis did not answer in time.</summary>
public readonly record struct RedisReply<T>(bool IsAnswered, T? Value);

/// <summary>The only connection to Redis. Calls never throw and never wait long; replies are foreign bytes.</summary>
/// <remarks>The library reconnects and times out by itself (<see cref="RedisOptions.ToConfiguration"/>). The circuit breaker spares callers
/// that wait while Redis hangs.</remarks>
public sealed class RedisConnection : SupervisedService
{
    /// <summary>Interval of the ping that decides whether Redis is there; also the breaker's sampling and break duration.</summary>
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    /// <summary>The most bytes of a message: a revocation with its reason has a few hundred.</summary>
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

    /// <summary>Redis is there: for the first time, or again; it may have forgotten everything.</summary>
    public event Action? Connected;

    /// <summary>Another replica, or whoever can write to Redis, says something.</summary>
    public event Action<string>? Told;

    /// <summary>Whether Redis has answered of late.</summary>
    public bool IsThere => _isThere;

    private RedisChannel Channel => RedisChannel.Literal(_options.KeyPrefix + "told");

    /// <summary>The key of this name.</summary>
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
            await Task.Yield(); // the thread that sockets end on must not be held
            return new RedisReply<T>(true, value);
        }
        catch (RedisServerException exception)
        {
            Logger.RedisRefused(exception.Message); // it is full, say, or holds something else under that key
            return default;
        }
        catch (Exception exception) when (IsAbsence(exception) || exception is BrokenCircuitException)
        {
            return default;
        }
        catch (Exception exception)
        {
            // the library's other exceptions, which are no common kind, and faults of ours: none costs a client more than Redis' silence
            // does
            Logger.RedisFailed(exception);
            return default;
        }
    }

    /// <summary>Reads a value, <paramref name="most"/> bytes of it at most. See <see cref="BoundedReads"/>.</summary>
    public Task<RedisReply<byte[]?>> ReadAsync(RedisKey key, int most) => AskAsync(database => _reads.ReadAsync(database, key, most));

    /// <inheritdoc cref="ReadAsync(RedisKey, int)"/>
    public Task<byte[]?> ReadAsync(IDatabase database, RedisKey key, int most) => _reads.ReadAsync(database, key, most);

    /// <summary>Tells all replicas something, us included.</summary>
    public void Tell(string message) => _ = AskAsync(database => database.PublishAsync(Channel, message));

    public override void Dispose()
    {
        base.Dispose();
        _connection?.Dispose();
        _reads.Dispose();
    }

    protected override IEnumerable<SupervisedLoop> Loops => [new SupervisedLoop("connection", "Redis", Beat, _ => BeatAsync())];

    /// <summary>Passes on what was told; what is longer than anything that a replica says is dropped unread.</summary>
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
                    Connected?.Invoke(); // it was away for less than a beat
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
