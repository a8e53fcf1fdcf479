using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Replicas;

/// <summary>Has every replica know every revocation: told at once, read again when Redis is there again and at an interval, and written back where Redis lacks one.</summary>
/// <remarks><c>revocations</c>: a hash, the sealed revocation by its subject. The message carries it too, so that one gets through a Redis that takes nothing more.</remarks>
internal sealed class RevocationExchange : BackgroundService
{
    private static readonly TimeSpan DiskInterval = TimeSpan.FromSeconds(1);

    private const string HashName = "revocations", Message = "revocation ";

    /// <summary>How many looks at the disk pass between two looks at Redis: 10 s.</summary>
    private const int LooksPerRead = 10;

    /// <summary>The most revocations of a hash that are read: no true one has more.</summary>
    private const int MaxCount = 100_000;

    private readonly RevocationRegister _register;
    private readonly RecordSeal _seal;
    private readonly RedisConnection? _redis;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _reading = new(1);

    /// <param name="register">What is known here.</param>
    /// <param name="seal">What seals them.</param>
    /// <param name="redis">Where replicas meet; null when there are none: then only the disk is looked at.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where forgeries are told.</param>
    public RevocationExchange(RevocationRegister register, RecordSeal seal, RedisConnection? redis, TimeProvider time, ILogger logger)
    {
        (_register, _seal, _redis, _time, _logger) = (register, seal, redis, time, logger);
        if (redis is not null)
        {
            register.Taken += Show;
            redis.Connected += () => _ = ReadAsync();
            redis.Told += Hear;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(DiskInterval, _time);
        try
        {
            for (var look = 0L; await timer.WaitForNextTickAsync(stoppingToken); look++)
            {
                LookOnDisk();
                if (look % LooksPerRead is 0)
                {
                    await ReadAsync();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }

    private void LookOnDisk()
    {
        try
        {
            _register.LookOnDisk();
        }
        catch (SqliteException exception)
        {
            _logger.RevocationsNotRead(exception.Message);
        }
    }

    /// <summary>Shows one to the other replicas. One that was heard is shown on: whoever hears it twice, takes it once.</summary>
    private void Show(Revocation revocation)
    {
        var (subject, record) = (revocation.Subject.ToString(), revocation.Seal(_seal));
        _ = _redis!.AskAsync(database => database.HashSetAsync(_redis.Key(HashName), subject, record));
        _redis.Tell($"{Message}{subject}|{Convert.ToBase64String(record)}");
    }

    private void Hear(string message)
    {
        var bar = message.IndexOf('|', StringComparison.Ordinal);
        var record = new byte[message.Length];
        if (message.StartsWith(Message, StringComparison.Ordinal) && bar > 0 && Convert.TryFromBase64Chars(message.AsSpan(bar + 1), record, out var length))
        {
            _register.Hear(message[Message.Length..bar], record.AsSpan(0, length), out _);
        }
    }

    /// <summary>Reads all that Redis holds, and writes back what it lacks.</summary>
    private async Task ReadAsync()
    {
        if (_redis is null || !await _reading.WaitAsync(0))
        {
            return;
        }

        try
        {
            var (held, forged) = (new Dictionary<string, Revocation>(), 0);
            foreach (var entry in await LoadAsync(_redis.Key(HashName)))
            {
                if (_register.Hear(entry.Name.ToString(), entry.Value, out var revocation))
                {
                    held[entry.Name.ToString()] = revocation!;
                }
                else
                {
                    forged++;
                }
            }

            if (forged > 0)
            {
                _logger.RevocationsForged(forged);
            }

            foreach (var known in _register.Latest.Where(known => known.Beats(held.GetValueOrDefault(known.Subject.ToString()))))
            {
                Show(known);
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task<HashEntry[]> LoadAsync(RedisKey key)
    {
        var reply = await _redis!.AskAsync(database => database.KeyTypeAsync(key));
        if (reply is { IsAnswered: true, Value: not (RedisType.Hash or RedisType.None) })
        {
            await _redis.AskAsync(database => database.KeyDeleteAsync(key)); // someone has put something else there
        }

        var count = await _redis.AskAsync(database => database.HashLengthAsync(key));
        return count is { IsAnswered: true, Value: > 0 and <= MaxCount } && await _redis.AskAsync(database => database.HashGetAllAsync(key)) is { IsAnswered: true, Value: { } all } ? all : [];
    }
}
