using Google.Protobuf;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Supervision;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>Has all replicas hold each log to one history: the newest head that any of them has seen is in Redis, and changes by
/// compare-and-swap from one that it continues.</summary>
/// <remarks>
/// <code>
/// view:LOGID the newest head; believed under the log's signature, and held against our view with proofs from the log itself, as in gossip
/// fault:LOGID   the evidence for which a replica has frozen the log; believed when it shows that under the log's signatures
/// </code></remarks>
public sealed class ViewExchange : SupervisedService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>How many intervals pass until a log is looked at though nothing has changed here: 10 s.</summary>
    private const int IntervalsPerLook = 10;

    private const string Message = "view ", Source = "another replica, through Redis";

    /// <summary>The most bytes of evidence that are read.</summary>
    private const int MaxEvidence = 1 << 20;

    private const string Read =
        "if redis.call('TYPE', KEYS[1]).ok == 'string' then return redis.call('GETRANGE', KEYS[1], 0, ARGV[1]) end return ''";

    private const string Swap = """
        if redis.call('TYPE', KEYS[1]).ok ~= 'string' then redis.call('DEL', KEYS[1]) end
        if redis.call('GETRANGE', KEYS[1], 0, ARGV[3]) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2])
        return 1
        """;

    private readonly IReadOnlyList<WatchedLog> _logs;
    private readonly ViewStore _views;
    private readonly RedisConnection _redis;
    private readonly Dictionary<string, State> _states;
    private long _intervals;

    public ViewExchange(IReadOnlyList<WatchedLog> logs, ViewStore views, RedisConnection redis, TimeProvider time, ILogger logger)
        : base(time, logger)
    {
        (_logs, _views, _redis) = (logs, views, redis);
        _states = logs.ToDictionary(log => log.Key.LogId, _ => new State());
        redis.Connected += () => ExchangeAll();
        redis.Told += message =>
        {
            if (message.StartsWith(Message, StringComparison.Ordinal)
                && logs.FirstOrDefault(log => log.Key.LogId == message[Message.Length..]) is { } log)
            {
                _ = ExchangeAsync(log);
            }
        };
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("view exchange", "all logs", Interval, stopping =>
        {
            _intervals++;
            foreach (var log in _logs.Where(
                log => _intervals % IntervalsPerLook is 0 || _states[log.Key.LogId].Shown != (log.Head?.Content, log.IsFrozen)))
            {
                _ = ExchangeAsync(log);
            }

            return Task.CompletedTask;
        })
        { WaitsFirst = true },
    ];

    private void ExchangeAll()
    {
        foreach (var log in _logs)
        {
            _ = ExchangeAsync(log);
        }
    }

    private async Task ExchangeAsync(WatchedLog log)
    {
        var state = _states[log.Key.LogId];
        if (!await state.DecompressionSlot.WaitAsync(0))
        {
            return;
        }

        try
        {
            var now = (log.Head?.Content, log.IsFrozen);
            if (await ExchangeFaultAsync(log) && (log.IsFrozen || await ExchangeHeadAsync(log)))
            {
                state.Shown = now;
            }
        }
        catch (SqliteException exception)
        {
            Logger.ViewNotShared(log.Key.LogId, exception.Message);
        }
        finally
        {
            state.DecompressionSlot.Release();
        }
    }

    /// <summary>Takes in the head that Redis has, and puts ours in its place where that continues it; whether the two are one
    /// now.</summary>
    private async Task<bool> ExchangeHeadAsync(WatchedLog log)
    {
        var key = _redis.Key($"view:{log.Key.LogId}");
        for (var attempt = 0; attempt < 3; attempt++)
        {
            if (await ReadAsync(key, WireMessage.MaxHead) is not { } bytes)
            {
                return false;
            }

            var held = WireMessage.TryParse(LogHead.Parser, bytes, out var message) && SignedTreeHead.TryRead(message, out var read, out _)
                && log.Key.TryVerify(read, out var verified, out _) ? verified : null;
            if (held is not null && !await log.HearAsync(held, Source))
            {
                return false; // the log gives no proof: it is looked at again
            }

            if (log.IsFrozen || log.Head is not { } ours || ours.Content == held?.Content)
            {
                return true;
            }

            if (held?.Content.TreeSize > ours.Content.TreeSize)
            {
                continue; // our view was moved by someone else meanwhile
            }

            // Ours was just shown to continue it; or what was there is no head.
            object[] arguments = [Swap, 1, key, bytes, ours.ToMessage().ToByteArray(), WireMessage.MaxHead - 1];
            if (await _redis.AskAsync(
                async database => (int)await database.ExecuteAsync("EVAL", arguments)) is { IsAnswered: true, Value: 1 })
            {
                _redis.Tell(Message + log.Key.LogId);
                return true;
            }
        }

        return false;
    }

    /// <summary>Shows for what reason the log is frozen here, or freezes it for what another replica shows; whether Redis has
    /// answered.</summary>
    private async Task<bool> ExchangeFaultAsync(WatchedLog log)
    {
        var key = _redis.Key($"fault:{log.Key.LogId}");
        if (await ReadAsync(key, MaxEvidence) is not { } bytes)
        {
            return false;
        }

        var shown = FaultEvidence.TryVerify(bytes, [log.Key], out var evidence, out _) ? evidence.Fault : null;
        if (log.IsFrozen && shown is null && _views.Load(log.Key).Fault is { } ours)
        {
            await _redis.AskAsync(database => database.StringSetAsync(key, ours));
            _redis.Tell(Message + log.Key.LogId);
        }
        else if (!log.IsFrozen && shown is not null && !WasUnfrozen(log.Key, shown))
        {
            log.Freeze(shown, Source);
        }

        return true;
    }

    /// <summary>Whether a person has looked at this very fault, and unfrozen the log: it does not freeze it again.</summary>
    private bool WasUnfrozen(LogKey key, LogFault fault) =>
        _views.UnfrozenFaults(key).Any(bytes => FaultEvidence.TryVerify(bytes, [key], out var evidence, out _)
            && Identify(evidence.Fault).AsSpan().SequenceEqual(Identify(fault)));

    private static byte[] Identify(LogFault fault) => FaultEvidence.Write(fault, DateTimeOffset.UnixEpoch, "");

    private async Task<byte[]?> ReadAsync(RedisKey key, int size)
    {
        object[] arguments = [Read, 1, key, size - 1];
        return await _redis.AskAsync(async database => (byte[]?)await database.ExecuteAsync("EVAL", arguments)) is
        { IsAnswered: true } reply ? reply.Value ?? [] : null;
    }

    private sealed class State
    {
        public SemaphoreSlim DecompressionSlot { get; } = new(1);

        /// <summary>What was exchanged last.</summary>
        public (TreeHead? Head, bool IsFrozen) Shown { get; set; }
    }
}
