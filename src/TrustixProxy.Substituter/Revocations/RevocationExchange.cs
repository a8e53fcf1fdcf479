using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Storage;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Shares revocations between replicas: publishes them immediately, rereads them on reconnect and periodically, and restores any
/// that Redis lacks.</summary>
/// <remarks><c>revocations</c>: a hash from subject to sealed revocation. The message carries the revocation too, so it passes even through
/// a full Redis.</remarks>
internal sealed class RevocationExchange : SupervisedService
{
    private static readonly TimeSpan DiskInterval = TimeSpan.FromSeconds(1);

    private const string HashName = "revocations", Message = "revocation ";

    /// <summary>Disk checks between two Redis checks: 10 s.</summary>
    private const int LooksPerRead = 10;

    /// <summary>Maximum revocations read from the hash; a genuine one has fewer.</summary>
    private const int MaxCount = 100_000;

    /// <summary>Maximum bytes of the hash in Redis: a thousand for each of <see cref="MaxCount"/>.</summary>
    private const long MaxHash = 128 << 20;

    /// <summary>Maximum bytes of a revocation with its subject: twice the longest genuine one.</summary>
    private const int MaxEntry = 8 << 10;

    private readonly RevocationRegister _register;
    private readonly RecordSeal _seal;
    private readonly RedisConnection? _redis;
    private readonly SemaphoreSlim _reading = new(1);
    private long _looks;

    /// <param name="register">Revocations in force here.</param>
    /// <param name="redis">The Redis shared by replicas; null without replicas, when only the disk is checked.</param>
    public RevocationExchange(RevocationRegister register, RecordSeal seal, RedisConnection? redis, TimeProvider time, ILogger logger)
        : base(time, logger)
    {
        (_register, _seal, _redis) = (register, seal, redis);
        if (redis is not null)
        {
            register.Taken += Show;
            redis.Connected += () => _ = ReadAsync();
            redis.Told += Hear;
        }
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("revocation exchange", "the state database and Redis", DiskInterval, async _ =>
        {
            LookOnDisk();
            if (_looks++ % LooksPerRead is 0)
            {
                await ReadAsync();
            }
        })
        { WaitsFirst = true },
    ];

    private void LookOnDisk()
    {
        if (DiskRefusal.Of(_register.LookOnDisk) is { } refusal)
        {
            Logger.RevocationsNotRead(refusal);
        }
    }

    /// <summary>Publishes a revocation to the other replicas, also a received one; duplicates are ignored.</summary>
    private void Show(Revocation revocation)
    {
        var (subject, record) = (revocation.Subject.ToString(), revocation.Seal(_seal));
        var key = _redis!.Key(HashName);
        _ = _redis.AskAsync(key, database => database.HashSetAsync(key, subject, record));
        _redis.Tell($"{Message}{subject}|{Convert.ToBase64String(record)}");
    }

    private void Hear(string message)
    {
        var bar = message.IndexOf('|', StringComparison.Ordinal);
        var record = new byte[message.Length];
        if (message.StartsWith(Message, StringComparison.Ordinal) && bar > 0
            && Convert.TryFromBase64Chars(message.AsSpan(bar + 1), record, out var length))
        {
            _register.Hear(message[Message.Length..bar], record.AsSpan(0, length), out _);
        }
    }

    /// <summary>Reads all revocations from Redis and writes back missing ones.</summary>
    private async Task ReadAsync()
    {
        if (_redis is null || !await _reading.WaitAsync(0))
        {
            return;
        }

        try
        {
            var (held, forged) = (new Dictionary<string, Revocation>(), 0);
            await foreach (var part in LoadAsync(_redis.Key(HashName)))
            {
                forged += part.Skipped;
                foreach (var entry in part.Entries)
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
            }

            if (forged > 0)
            {
                Logger.RevocationsForged(forged);
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

    /// <summary>Reads the hash in small parts, up to the size of a genuine one.</summary>
    private async IAsyncEnumerable<HashPart> LoadAsync(RedisKey key)
    {
        var reply = await _redis!.AskAsync(key, database => database.KeyTypeAsync(key));
        var size = await _redis.AskAsync(
            key, async database => (long?)await database.ExecuteAsync("MEMORY", "USAGE", key, "SAMPLES", 0));
        if (reply is { IsAnswered: true, Value: not (RedisType.Hash or RedisType.None) } || size.Value > MaxHash)
        {
            // the key has a wrong type: each replica writes back its revocations
            await _redis.AskAsync(key, database => database.KeyDeleteAsync(key));
        }

        var cursor = "0";
        for (var read = 0; read < MaxCount;)
        {
            var from = cursor;
            if (await _redis.AskAsync(
                key, database => BoundedReads.ReadHashAsync(database, key, from, MaxEntry)) is not { IsAnswered: true, Value: var part })
            {
                yield break;
            }

            yield return part;
            (cursor, read) = (part.Next, read + Math.Max(1, part.Skipped + part.Entries.Count));
            if (cursor is "0")
            {
                yield break;
            }
        }
    }
}
