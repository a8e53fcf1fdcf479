using System.Collections.Concurrent;
using StackExchange.Redis;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Redis;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A decision as shared between replicas: untrusted until its seal is verified.</summary>
/// <param name="Bundle">Its proofs, packed on first use; null if missing or not sealed with this record.</param>
internal sealed record SharedDecision(byte[] Record, SharedBundle? Bundle);

/// <summary>Proofs of a decision, created on first use.</summary>
/// <param name="Hash">The bundle's hash.</param>
/// <param name="Packed">The bundle, packed.</param>
internal sealed record SharedBundle(Lazy<Digest> Hash, Lazy<byte[]> Packed);

/// <summary>Shares decisions and decision leases between replicas through Redis.</summary>
/// <remarks>
/// <code>
/// d:POLICY:DIGEST   the sealed decision; expires as the decision does
/// b:POLICY:DIGEST   its proofs: hash and packed bundle, sealed with the decision's bytes
/// l:POLICY:DIGEST   the lease of the deciding replica; expires unless renewed
/// </code>
/// In a Cluster the digest is a hash tag: all of a path is in one slot.</remarks>
internal sealed class SharedDecisions
{
    /// <summary>Maximum delay caused by a crashed replica.</summary>
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);

    /// <summary>Polling interval for another replica's decision, in case its message is lost.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    private const string BundleKind = "bundle", DecidedMessage = "decided ";

    /// <summary>Maximum bytes of a record and of a bundle, far above genuine ones.</summary>
    private const int MaxRecord = 4 << 20, MaxBundle = 16 << 20;

    private readonly RedisConnection _redis;
    private readonly RecordSeal _seal;
    private readonly string _policy;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _awaited = new();

    public SharedDecisions(RedisConnection redis, RecordSeal seal, Policy policy, TimeProvider time)
    {
        (_redis, _seal, _policy, _time) = (redis, seal, policy.Identity.ToString()[..16], time);
        redis.Told += message =>
        {
            if (message.StartsWith(DecidedMessage, StringComparison.Ordinal)
                && _awaited.TryGetValue(message[DecidedMessage.Length..], out var waiting))
            {
                waiting.TrySetResult();
            }
        };
    }

    /// <summary>Waits for another replica's decision or for the lease.</summary>
    /// <param name="adopt">Adopts another replica's decision; null if it is not valid here.</param>
    /// <param name="patience">Maximum wait for a live replica.</param>
    /// <returns>The adopted decision, or the lease.</returns>
    public async Task<(T? Adopted, DecisionTurn? Turn)> WaitAsync<T>(
        StorePathDigest digest, Func<SharedDecision, Task<T?>> adopt, TimeSpan patience)
        where T : class
    {
        var (name, start) = (digest.ToString(), _time.GetTimestamp());
        var turn = new DecisionTurn(_redis, Key('l', digest), DecidedMessage + name, _time);
        try
        {
            while (true)
            {
                // subscribe before checking
                var told = (_awaited[name] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                var reply = await TakeAndLookAsync(digest, turn);
                var adopted = reply is { IsAnswered: true, Value: { } found } ? await adopt(found) : null;
                if (adopted is not null)
                {
                    turn.Dispose();
                    return (adopted, null);
                }

                if (!reply.IsAnswered || turn.IsOurs || _time.GetElapsedTime(start) > patience)
                {
                    if (reply is { IsAnswered: true, Value: null })
                    {
                        DecisionMetrics.LookedUp(CacheTier.Redis, LookupResult.Miss);
                    }

                    return (null, turn);
                }

                await Task.WhenAny(told, Task.Delay(patience < Look ? patience : Look, _time));
            }
        }
        finally
        {
            _awaited.TryRemove(name, out _);
        }
    }

    /// <summary>Publishes a decision to the other replicas, in the background.</summary>
    /// <param name="lifetime">Lifetime of the record.</param>
    public void Keep(StorePathDigest digest, SharedDecision decision, TimeSpan lifetime)
    {
        if (lifetime <= TimeSpan.Zero)
        {
            return;
        }

        byte[] bundle = decision.Bundle is { } kept
            ? _seal.Seal(BundleKind, NameOfBundle(digest, decision.Record), [.. kept.Hash.Value.ToArray(), .. kept.Packed.Value]) : [];
        _ = _redis.AskAsync(Key('d', digest), database =>
        {
            _ = bundle.Length > 0 ? database.StringSetAsync(Key('b', digest), bundle, lifetime) : database.KeyDeleteAsync(Key('b', digest));
            return database.StringSetAsync(Key('d', digest), decision.Record, lifetime);
        });
    }

    /// <summary>Tries to take the lease, then reads the decision; this order finds a decision made before the lease was free.</summary>
    private Task<RedisReply<SharedDecision>> TakeAndLookAsync(StorePathDigest digest, DecisionTurn turn) =>
        _redis.AskAsync(Key('d', digest), async database =>
    {
        var taking = turn.TakeAsync(database);
        var record = _redis.ReadAsync(database, Key('d', digest), MaxRecord);
        var bundle = _redis.ReadAsync(database, Key('b', digest), MaxBundle);
        await Task.WhenAll(taking, record, bundle);
        var bytes = await record;
        return bytes is { Length: > 0 } ? OpenBundle(digest, bytes, await bundle) : null!;
    });

    private SharedDecision OpenBundle(StorePathDigest digest, byte[] record, byte[]? bundle) =>
        _seal.TryOpen(BundleKind, NameOfBundle(digest, record), bundle, out var body)
            && Digest.TryRead(body[..Math.Min(body.Length, Digest.Size)], out var hash)
            ? new SharedDecision(record, new SharedBundle(new Lazy<Digest>(hash), new Lazy<byte[]>(body[Digest.Size..].ToArray())))
            : new SharedDecision(record, null);

    private static string NameOfBundle(StorePathDigest digest, byte[] record) => $"{digest} {Digest.Of(record)}";

    private RedisKey Key(char kind, StorePathDigest digest) => _redis.Key($"{kind}:{_policy}:", digest.ToString());
}
