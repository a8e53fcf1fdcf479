using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>What proxies tell each other: the newest signed heads that they have seen, so that a log which shows two of them two histories
/// is caught.</summary>
/// <remarks>
/// <code>{ "version": 1, "heads": [ { "logId": "64 hex digits", "head": "base64 of the protobuf LogHead" } ] }</code>
/// Of each log the first head counts, since a peer tells its newest. Heads of logs that are not configured here are dropped unread; then
/// the signature is checked; then the log itself
/// is asked for what is missing. So one message makes us ask each log once, and whoever calls bounds how many are heard at once.</remarks>
public sealed class Gossip(IReadOnlyList<WatchedLog> logs)
{
    /// <summary>The most bytes of one message.</summary>
    public const int MaxSize = 256 << 10;

    /// <summary>The most heads of one message that are looked at.</summary>
    private const int MaxHeads = 1000;

    /// <summary>How many heads of each log are remembered as judged, so that telling them again costs nobody anything.</summary>
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

    /// <summary>What we tell.</summary>
    public byte[] Tell()
    {
        var heads = logs.Select(log => (log.Key, log.Head)).Where(log => log.Head is not null)
            .Select(log => new ToldHead(log.Key.LogId, log.Head!.ToMessage().ToByteArray()));
        return JsonSerializer.SerializeToUtf8Bytes(new ToldHeads(1, [.. heads]), Form.ToldHeads);
    }

    /// <summary>Takes in what a peer tells; false when it is not this JSON.</summary>
    /// <param name="json">The message.</param>
    /// <param name="from">The peer, for evidence.</param>
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

    /// <summary>The last heads of one log that were judged. What could not be, for want of the log's proofs, is judged when it comes
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

/// <summary>What one proxy tells another.</summary>
internal sealed record ToldHeads(int Version, ToldHead[] Heads);

/// <summary>The last head of a log, in the protocol's form.</summary>
internal sealed record ToldHead(string LogId, byte[] Head);

[JsonSerializable(typeof(ToldHeads))]
internal sealed partial class ToldHeadsJson : JsonSerializerContext;
