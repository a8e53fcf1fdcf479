using Google.Protobuf;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Storage;
using TrustixProxy.IO.Supervision;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>Keeps all replicas on one history of each log. Redis holds the newest head seen by any; compare-and-swap replaces it only by
/// one that continues it.</summary>
/// <remarks>
/// <code>
/// view:LOGID    the newest head; its signature is checked, and proofs from the log itself relate it to our view, as in gossip
/// fault:LOGID   the evidence for which a replica froze the log; accepted only if it proves the fault under the log's signatures
/// </code></remarks>
public sealed class ViewExchange : SupervisedService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Number of intervals after which an unchanged log is checked again: 10 s.</summary>
    private const int IntervalsPerLook = 10;

    private const string Message = "view ", Source = "another replica, through Redis";

    /// <summary>Maximum size of evidence read from Redis, in bytes.</summary>
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
        if (!await state.Turn.WaitAsync(0))
        {
            return;
        }

        try
        {
            var now = (log.Head?.Content, log.IsFrozen);
            var refusal = await DiskRefusal.OfAsync(async () => state.Shown =
                await ExchangeFaultAsync(log) && (log.IsFrozen || await ExchangeHeadAsync(log)) ? now : state.Shown);
            if (refusal is not null)
            {
                Logger.ViewNotShared(log.Key.LogId, refusal);
            }
        }
        finally
        {
            state.Turn.Release();
        }
    }

    /// <summary>Checks the head in Redis, and replaces it where ours continues it. Returns whether the two are now equal.</summary>
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
                return false; // the log gives no proof: retried at the next interval
            }

            if (log.IsFrozen || log.Head is not { } ours || ours.Content == held?.Content)
            {
                return true;
            }

            if (held?.Content.TreeSize > ours.Content.TreeSize)
            {
                continue; // another call moved our view in between
            }

            // Our head was just shown to continue it, or Redis held no valid head.
            object[] arguments = [Swap, 1, key, bytes, ours.ToMessage().ToByteArray(), WireMessage.MaxHead - 1];
            if (await _redis.AskAsync(
                key, async database => (int)await database.ExecuteAsync("EVAL", arguments)) is { IsAnswered: true, Value: 1 })
            {
                _redis.Tell(Message + log.Key.LogId);
                return true;
            }
        }

        return false;
    }

    /// <summary>Publishes the evidence that froze the log here, or freezes the log by another replica's evidence. Returns whether Redis
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
            await _redis.AskAsync(key, database => database.StringSetAsync(key, ours));
            _redis.Tell(Message + log.Key.LogId);
        }
        else if (!log.IsFrozen && shown is not null && !WasUnfrozen(log.Key, shown))
        {
            log.Freeze(shown, Source);
        }

        return true;
    }

    /// <summary>Whether an operator has already unfrozen the log despite this very fault; if so, it does not freeze it again.</summary>
    private bool WasUnfrozen(LogKey key, LogFault fault) =>
        _views.UnfrozenFaults(key).Any(bytes => FaultEvidence.TryVerify(bytes, [key], out var evidence, out _)
            && Identify(evidence.Fault).AsSpan().SequenceEqual(Identify(fault)));

    private static byte[] Identify(LogFault fault) => FaultEvidence.Write(fault, DateTimeOffset.UnixEpoch, "");

    private async Task<byte[]?> ReadAsync(RedisKey key, int size)
    {
        object[] arguments = [Read, 1, key, size - 1];
        return await _redis.AskAsync(key, async database => (byte[]?)await database.ExecuteAsync("EVAL", arguments)) is
        { IsAnswered: true } reply ? reply.Value ?? [] : null;
    }

    private sealed class State
    {
        public SemaphoreSlim Turn { get; } = new(1);

        /// <summary>The head and the fault exchanged last.</summary>
        public (TreeHead? Head, bool IsFrozen) Shown { get; set; }
    }
}
