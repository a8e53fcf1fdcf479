using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Buckets;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>Configures the bucket in which replicas share verified NARs.</summary>
/// <param name="Root">The bucket's address.</param>
/// <param name="Prefix">What stands before each object's name, without slashes around it; empty for nothing.</param>
/// <param name="Signer">Signs requests; null for none.</param>
/// <param name="MaxSize">Maximum total size in bytes after a garbage collection.</param>
/// <param name="MaxAge">Maximum age of an object after a garbage collection.</param>
public sealed record SharedNarsOptions(Uri Root, string Prefix, BucketSigner? Signer, long MaxSize, TimeSpan MaxAge)
{
    /// <summary>The name of the bucket in messages and metrics, where it stands beside upstreams.</summary>
    public const string Name = "shared-store";

    /// <summary>Selects the HTTP proxy for it.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    /// <summary>The address of its objects.</summary>
    public Uri Base => Prefix.Length is 0 ? Root : new Uri($"{Root.AbsoluteUri.TrimEnd('/')}/{Prefix}");
}

/// <summary>Uploads NARs to the bucket that replicas share, in the background: as a binary cache without signatures, which each replica
/// asks as one more upstream and trusts as little.</summary>
/// <remarks>
/// <code>
/// verified and on our disk ──at most 256 wait──▶ HEAD nar/FILEHASH.nar.xz ──not there──▶ PUT, If-None-Match: * ──▶ DIGEST.narinfo
///                                                                            one replica, by u:FILEHASH in Redis
/// </code>
/// A bucket that fails is left alone for a while: 5 s, doubled up to 2 min. What waits goes on waiting, and what failed waits again, up to
/// ten times.</remarks>
public sealed class SharedNars : IDisposable
{
    private const int MaxWaiting = 256, MaxNarInfo = 1 << 20, Workers = 2, MaxAttempts = 10;

    /// <summary>Limit of each small request; and how many bytes a second an upload has to take beyond it.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private const long LeastRate = 500_000;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5), LongestPause = TimeSpan.FromMinutes(2);

    private readonly Bucket _bucket;
    private readonly HttpMessageInvoker _http;
    private readonly string _about;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<Offered> _waiting = Channel.CreateBounded<Offered>(MaxWaiting);
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _turn = new();
    private volatile RedisConnection? _redis;
    private TimeSpan _pause;
    private DateTimeOffset _until;

    /// <param name="network">Sends requests; sockets when null.</param>
    public SharedNars(SharedNarsOptions options, TimeProvider time, ILogger logger, HttpMessageHandler? network = null)
    {
        (_about, _time, _logger) = (options.Base.ToString(), time, logger);
        _http = network is null ? Bucket.Sender(options.Proxies, time) : new HttpMessageInvoker(network, disposeHandler: false);
        _bucket = new Bucket(options.Root, options.Prefix, options.Signer, _http, time);
    }

    /// <summary>Starts uploading.</summary>
    public void Start()
    {
        for (var i = 0; i < Workers; i++)
        {
            _ = new SupervisedLoop("NAR uploader", _about, TimeSpan.Zero, UploadNextAsync).RunAsync(_time, _logger, _end.Token);
        }
    }

    /// <summary>Signs with this key from now on, and agrees with other replicas through this Redis on who uploads.</summary>
    public void Use(BucketSigner? signer, RedisConnection? redis)
    {
        _bucket.Use(signer);
        _redis = redis;
    }

    /// <summary>Queues a verified NAR, without waiting.</summary>
    /// <param name="claim">The agreed claim.</param>
    /// <param name="nar">The file.</param>
    /// <param name="path">Its path on disk.</param>
    /// <param name="isDamaged">Whether the bucket's own object was just refused, so that it is written again.</param>
    public void Offer(OutputClaim claim, StoredNar nar, string path, bool isDamaged) =>
        Enqueue(new Offered(claim, nar, path, isDamaged, Attempt: 1));

    /// <summary>The name of a NAR's object: that of its content.</summary>
    public static string NameOf(StoredNar nar) => $"nar/{nar.FileHash.Digits}.nar{NarCompression.SuffixOf(nar.Compression)}";

    /// <inheritdoc/>
    public void Dispose()
    {
        _end.Cancel();
        _http.Dispose();
    }

    private async Task UploadNextAsync(CancellationToken stopping)
    {
        var offered = await _waiting.Reader.ReadAsync(stopping);
        while (PauseLeft() is var left && left > TimeSpan.Zero) // after the read, as the other worker may have failed meanwhile
        {
            await Task.Delay(left, _time, stopping);
        }

        try
        {
            NarStoreMetrics.Uploaded(await UploadAsync(offered, stopping));
            lock (_turn)
            {
                _pause = TimeSpan.Zero;
            }
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            NarStoreMetrics.Uploaded("evicted"); // from our own disk, since it was queued
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or UnauthorizedAccessException
            || (exception is OperationCanceledException && !stopping.IsCancellationRequested))
        {
            NarStoreMetrics.Uploaded("failed");
            Pause(exception is OperationCanceledException ? "no answer in time" : exception.Message);
            if (offered.Attempt < MaxAttempts)
            {
                Enqueue(offered with { Attempt = offered.Attempt + 1 });
            }
        }
    }

    private TimeSpan PauseLeft()
    {
        lock (_turn)
        {
            return _until - _time.GetUtcNow();
        }
    }

    private void Enqueue(Offered offered)
    {
        if (!_waiting.Writer.TryWrite(offered))
        {
            NarStoreMetrics.Uploaded("dropped");
        }
    }

    private void Pause(string reason)
    {
        lock (_turn)
        {
            if (_time.GetUtcNow() < _until)
            {
                return;
            }

            _pause = _pause * 2 < FirstPause ? FirstPause : _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
            _until = _time.GetUtcNow() + _pause;
            _logger.UploadsPause(_about, (int)_pause.TotalSeconds, reason);
        }
    }

    /// <summary>Uploads a NAR and then its narinfo; returns the outcome.</summary>
    private async Task<string> UploadAsync(Offered offered, CancellationToken stopping)
    {
        var (claim, nar, path, isDamaged, _) = offered;
        var length = new FileInfo(path).Length;
        if (length > Bucket.MaxSize)
        {
            return "too-large";
        }

        var time = (Limit * 3) + TimeSpan.FromSeconds(length / LeastRate);
        using var limit = new CancellationTokenSource(time, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        var isThere = !isDamaged && await _bucket.HasAsync(NameOf(nar), either.Token);
        var key = $"u:{(isDamaged ? "again:" : "")}{nar.FileHash.Digits}";
        if (!isThere && !await BeginAsync(key, time))
        {
            return "elsewhere";
        }

        var isNew = false;
        try
        {
            isNew = !isThere && await _bucket.WriteAsync(
                NameOf(nar), () => File.OpenRead(path), length, nar.FileHash.Bytes.ToArray(), mayReplace: isDamaged, either.Token);
        }
        catch
        {
            GiveUp(key); // another replica may try
            throw;
        }

        var text = System.Text.Encoding.UTF8.GetBytes(NarInfoOf(claim, nar, length).ToString());
        var (name, known) = ($"{claim.Path.Digest}.narinfo", default(ReadOnlyMemory<byte>?));
        known = await _bucket.ReadAsync(name, MaxNarInfo, either.Token);
        if (known is null || !known.Value.Span.SequenceEqual(text))
        {
            await _bucket.WriteAsync(name, text, mayReplace: known is not null, either.Token);
        }

        return isNew ? "stored" : "present";
    }

    /// <summary>Whether this replica may write an object: no other has begun to lately. Without Redis, only the bucket knows.</summary>
    private async Task<bool> BeginAsync(string name, TimeSpan time)
    {
        if (_redis is not { } redis)
        {
            return true;
        }

        var key = redis.Key(name);
        var begun = await redis.AskAsync(key, database => database.StringSetAsync(key, "", time, When.NotExists));
        return begun is { IsAnswered: false } or { Value: true };
    }

    private void GiveUp(string name)
    {
        if (_redis is { } redis)
        {
            var key = redis.Key(name);
            _ = redis.AskAsync(key, database => database.KeyDeleteAsync(key));
        }
    }

    private static NarInfo NarInfoOf(OutputClaim claim, StoredNar nar, long length) => new()
    {
        StorePath = claim.Path,
        Url = NameOf(nar),
        Compression = nar.Compression,
        FileHash = nar.FileHash,
        FileSize = length,
        NarHash = nar.NarHash,
        NarSize = nar.NarSize,
        References = claim.References,
    };

    private sealed record Offered(OutputClaim Claim, StoredNar Nar, string Path, bool IsDamaged, int Attempt);
}
