using System.Collections.Concurrent;
using System.Text.Json;
using Google.Protobuf;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What proxies tell each other: the newest signed heads that they have seen, so that a log which shows two of them two histories is caught.</summary>
/// <remarks>
/// <code>{ "version": 1, "heads": [ { "logId": "64 hex digits", "head": "base64 of the protobuf LogHead" } ] }</code>
/// Heads of logs that are not configured here are dropped unread; then the signature is checked; then the log itself is asked for what is missing.</remarks>
internal sealed class Gossip(IReadOnlyList<WatchedLog> logs)
{
    /// <summary>The most bytes of one message.</summary>
    public const int MaxSize = 256 << 10;

    /// <summary>The most heads of one message that are looked at.</summary>
    private const int MaxHeads = 1000;

    /// <summary>How many heads of each log are remembered as looked at, so that telling them again costs nobody anything.</summary>
    private const int MaxRemembered = 256;

    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web) { AllowDuplicateProperties = false, MaxDepth = 8, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    private readonly ConcurrentDictionary<string, Heard> _heard = new();

    /// <summary>What we tell.</summary>
    public byte[] Tell()
    {
        var heads = logs.Select(log => (log.Key, log.Head)).Where(log => log.Head is not null).Select(log => new ToldHead(log.Key.LogId, log.Head!.ToMessage().ToByteArray()));
        return JsonSerializer.SerializeToUtf8Bytes(new Told(1, [.. heads]), Form);
    }

    /// <summary>Takes in what a peer tells; false when it is not this JSON.</summary>
    /// <param name="json">The message.</param>
    /// <param name="from">The peer, for evidence.</param>
    public async Task<bool> HearAsync(ReadOnlyMemory<byte> json, string from)
    {
        Told? told;
        try
        {
            told = JsonSerializer.Deserialize<Told>(json.Span, Form);
        }
        catch (JsonException)
        {
            return false;
        }

        if (told is not { Version: 1 } || told.Heads.Contains(null!))
        {
            return false;
        }

        await Task.WhenAll(told.Heads.Take(MaxHeads)
            .Select(head => (Head: head, Log: logs.FirstOrDefault(log => log.Key.LogId == head.LogId)))
            .Where(item => item.Log is not null)
            .GroupBy(item => item.Log!)
            .Select(group => HearAsync(group.Key, group.Select(item => item.Head.Head), from)));
        return true;
    }

    /// <summary>One head of a log after the other, and none while another peer's is being looked at: no peer makes us ask a log more than that.</summary>
    private async Task HearAsync(WatchedLog log, IEnumerable<byte[]> heads, string from)
    {
        var heard = _heard.GetOrAdd(log.Key.LogId, _ => new Heard());
        if (!await heard.Turn.WaitAsync(0))
        {
            return;
        }

        try
        {
            foreach (var bytes in heads)
            {
                var digest = Digest.Of(bytes);
                if (heard.Knows(digest))
                {
                    continue;
                }

                if (WireMessage.TryParse(LogHead.Parser, bytes, out var message) && SignedTreeHead.TryRead(message, out var read, out _) && log.Key.TryVerify(read, out var head, out _)
                    && !await log.HearAsync(head, from))
                {
                    return; // there is no view yet, or the log does not answer: it is looked at when it is told again
                }

                heard.Add(digest);
            }
        }
        finally
        {
            heard.Turn.Release();
        }
    }

    private sealed record Told(int Version, ToldHead[] Heads);

    private sealed record ToldHead(string LogId, byte[] Head);

    private sealed class Heard
    {
        private readonly Queue<Digest> _order = new();
        private readonly HashSet<Digest> _seen = [];

        public SemaphoreSlim Turn { get; } = new(1);

        public bool Knows(Digest head) => _seen.Contains(head);

        public void Add(Digest head)
        {
            _seen.Add(head);
            _order.Enqueue(head);
            if (_order.Count > MaxRemembered)
            {
                _seen.Remove(_order.Dequeue());
            }
        }
    }
}
