using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>Exchanges the newest signed heads between proxies, which catches a log that shows two of them different histories.</summary>
/// <remarks>
/// <code>{ "version": 1, "heads": [ { "logId": "64 hex digits", "head": "base64 of the protobuf LogHead" } ] }</code>
/// Only the first head of each log counts: a peer sends its newest. Heads of logs not configured here are dropped unread. Then the
/// signature is checked, and missing proofs are fetched from the log itself. So one message causes at most one query per log. The caller
/// limits how many messages are processed concurrently.</remarks>
public sealed class Gossip(IReadOnlyList<WatchedLog> logs)
{
    /// <summary>Maximum size of one message, in bytes.</summary>
    public const int MaxSize = 256 << 10;

    /// <summary>Maximum number of heads read from one message.</summary>
    private const int MaxHeads = 1000;

    /// <summary>Number of judged heads remembered per log, so that repeating them costs no work.</summary>
    private const int MaxRemembered = 256;

    private static readonly ToldHeadsJson Form = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        AllowDuplicateProperties =
        false,
        MaxDepth = 8,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true
    });

    private readonly ConcurrentDictionary<string, Judged> _judged = new();

    /// <summary>Builds the message with this proxy's newest heads.</summary>
    public byte[] Tell()
    {
        var heads = logs.Select(log => (log.Key, log.Head)).Where(log => log.Head is not null)
            .Select(log => new ToldHead(log.Key.LogId, log.Head!.ToMessage().ToByteArray()));
        return JsonSerializer.SerializeToUtf8Bytes(new ToldHeads(1, [.. heads]), Form.ToldHeads);
    }

    /// <summary>Checks the heads in a peer's message; returns false when it is not valid JSON of this form.</summary>
    /// <param name="from">The peer's name, for evidence.</param>
    public async Task<bool> HearAsync(ReadOnlyMemory<byte> json, string from)
    {
        ToldHeads? told;
        try
        {
            told = JsonSerializer.Deserialize(json.Span, Form.ToldHeads);
        }
        catch (JsonException)
        {
            return false;
        }

        if (told is not { Version: 1 } || told.Heads.Contains(null!))
        {
            return false;
        }

        await Task.WhenAll(logs
            .Select(log => (Log: log, Told: told.Heads.Take(MaxHeads).FirstOrDefault(head => head.LogId == log.Key.LogId)))
            .Where(item => item.Told is not null)
            .Select(item => HearAsync(item.Log, item.Told!.Head, from)));
        return true;
    }

    private async Task HearAsync(WatchedLog log, byte[] bytes, string from)
    {
        var (judged, digest) = (_judged.GetOrAdd(log.Key.LogId, _ => new Judged()), Digest.Of(bytes));
        if (judged.Has(digest))
        {
            return;
        }

        var isOurs = WireMessage.TryParse(LogHead.Parser, bytes, out var message) & SignedTreeHead.TryRead(
            message ?? new LogHead(), out var read, out _);
        if (!isOurs || !log.Key.TryVerify(read!, out var head, out _) || await log.HearAsync(head, from))
        {
            judged.Add(digest);
        }
    }

    /// <summary>The last judged heads of one log. A head that could not be judged for want of proofs is judged when it comes
    /// again.</summary>
    private sealed class Judged
    {
        private readonly Queue<Digest> _order = new();
        private readonly HashSet<Digest> _heads = [];

        public bool Has(Digest head)
        {
            lock (_order)
            {
                return _heads.Contains(head);
            }
        }

        public void Add(Digest head)
        {
            lock (_order)
            {
                if (_heads.Add(head))
                {
                    _order.Enqueue(head);
                    if (_order.Count > MaxRemembered)
                    {
                        _heads.Remove(_order.Dequeue());
                    }
                }
            }
        }
    }
}

/// <summary>The message one proxy sends another.</summary>
internal sealed record ToldHeads(int Version, ToldHead[] Heads);

/// <summary>The newest head of a log, in the protocol's encoding.</summary>
internal sealed record ToldHead(string LogId, byte[] Head);

[JsonSerializable(typeof(ToldHeads))]
internal sealed partial class ToldHeadsJson : JsonSerializerContext;
