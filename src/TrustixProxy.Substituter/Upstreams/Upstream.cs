using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Caching.Memory;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Operations;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>What an upstream says of a digest.</summary>
internal abstract record UpstreamAnswer
{
    /// <summary>Its narinfo: foreign hints, none of them believed.</summary>
    public sealed record Found(NarInfo NarInfo) : UpstreamAnswer;

    /// <summary>It does not have it.</summary>
    public sealed record Absent : UpstreamAnswer;

    /// <summary>It gave no usable answer: it may have it.</summary>
    public sealed record Failed(string Reason) : UpstreamAnswer;
}

/// <summary>One binary cache: fetches narinfos, bounded in size and time, and says where NARs are.</summary>
internal sealed class Upstream : IDisposable
{
    private static readonly TimeSpan FoundLifetime = TimeSpan.FromMinutes(10);

    /// <summary>How long it is not asked again for what it does not have: what others push to it is found soon.</summary>
    private static readonly TimeSpan AbsentLifetime = TimeSpan.FromSeconds(2);

    private readonly Uri _base;
    private readonly UpstreamTransport? _transport;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _pipeline;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ConcurrentDictionary<StorePathDigest, Lazy<Task<UpstreamAnswer>>> _underway = new();
    private readonly MemoryCache _known = new(new MemoryCacheOptions { SizeLimit = 8 << 20 });

    public Upstream(UpstreamOptions options, TimeSpan timeout, TimeProvider time, HttpMessageHandler? network = null)
    {
        (Options, _time) = (options, time);
        _base = options.Url.IsFile ? FolderTransport.Base : new Uri(options.Url.AbsoluteUri.TrimEnd('/') + "/");
        _transport = options.Url.IsFile ? null : new UpstreamTransport(_base, options.Credentials, time, network, options.Proxies);
        Http = new HttpMessageInvoker(_transport ?? (HttpMessageHandler)new FolderTransport(options.Url.LocalPath), disposeHandler: network is null);
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                StateProvider = _state,
                ShouldHandle = new PredicateBuilder().Handle<HttpRequestException>().Handle<IOException>().Handle<TimeoutRejectedException>(),
                FailureRatio = 0.9,
                MinimumThroughput = 10,
                SamplingDuration = TimeSpan.FromSeconds(30),
                BreakDuration = TimeSpan.FromSeconds(2),
            })
            .AddTimeout(timeout)
            .Build();
    }

    public UpstreamOptions Options { get; }

    /// <summary>Whether it has failed so often of late that it is not asked, or has said that it is not to be.</summary>
    public bool IsDown => _state.CircuitState is not CircuitState.Closed || _transport?.IsBusy is true;

    /// <summary>Sends requests to it, redirects followed.</summary>
    public HttpMessageInvoker Http { get; }

    /// <summary>Asks once, for all who want to know at the moment; a narinfo that was found a few minutes ago is not asked for again.</summary>
    public async Task<UpstreamAnswer> AskAsync(StorePathDigest digest, CancellationToken cancellation)
    {
        return Recall(digest) is UpstreamAnswer.Found known ? known : await _underway.GetOrAdd(digest, key => new Lazy<Task<UpstreamAnswer>>(() => AskAsync(key))).Value.WaitAsync(cancellation);
    }

    /// <summary>The same where nothing is decided: that it had nothing a moment ago is an answer, too.</summary>
    public async Task<UpstreamAnswer> LookAsync(StorePathDigest digest, CancellationToken cancellation) => Recall(digest) ?? await AskAsync(digest, cancellation);

    /// <summary>Forgets the narinfo of a digest, so that it is asked for again.</summary>
    public void Forget(StorePathDigest digest) => _known.Remove(digest);

    /// <summary>The address of a NAR; null when the narinfo's URL leads where this upstream may not lead.</summary>
    public Uri? AddressOf(NarInfo narInfo) => Uri.TryCreate(_base, narInfo.Url, out var address) && UpstreamTransport.MayLead(_base, address) ? address : null;

    public void Dispose()
    {
        Http.Dispose();
        _known.Dispose();
    }

    private async Task<UpstreamAnswer> AskAsync(StorePathDigest digest)
    {
        var start = _time.GetTimestamp();
        var answer = await TryAskAsync(digest);
        UpstreamMetrics.Answered(Options.Name, answer, _time.GetElapsedTime(start));
        return answer;
    }

    private async Task<UpstreamAnswer> TryAskAsync(StorePathDigest digest)
    {
        try
        {
            var answer = await _pipeline.ExecuteAsync(token => FetchAsync(digest, token), CancellationToken.None);
            if (LifetimeOf(answer) is var lifetime && lifetime > TimeSpan.Zero)
            {
                var size = 1024 + ((answer as UpstreamAnswer.Found)?.NarInfo.References.Length * 128 ?? 0);
                _known.Set(digest, (answer, _time.GetTimestamp()), new MemoryCacheEntryOptions { Size = size, AbsoluteExpirationRelativeToNow = lifetime });
            }

            return answer;
        }
        catch (Exception exception) when (ReasonOf(exception) is { } reason)
        {
            return new UpstreamAnswer.Failed(reason);
        }
        finally
        {
            _underway.TryRemove(digest, out _);
        }
    }

    private UpstreamAnswer? Recall(StorePathDigest digest) =>
        _known.TryGetValue(digest, out (UpstreamAnswer Answer, long At) known) && _time.GetElapsedTime(known.At) < LifetimeOf(known.Answer) ? known.Answer : null;

    private static TimeSpan LifetimeOf(UpstreamAnswer answer) => answer switch { UpstreamAnswer.Found => FoundLifetime, UpstreamAnswer.Absent => AbsentLifetime, _ => TimeSpan.Zero };

    private static string? ReasonOf(Exception exception) => exception switch
    {
        BrokenCircuitException => "breaker-open",
        UpstreamBusyException => "busy",
        TimeoutRejectedException => "no-answer",
        HttpRequestException or IOException => "unreachable",
        OperationCanceledException => null,
        _ => "failed", // whatever it sent that we could not make sense of: others are asked
    };

    private async ValueTask<UpstreamAnswer> FetchAsync(StorePathDigest digest, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_base, $"{digest}.narinfo"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        using var response = await Http.SendAsync(request, cancellation);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone or HttpStatusCode.Forbidden)
        {
            return new UpstreamAnswer.Absent();
        }

        if ((int)response.StatusCode >= 500 || response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout)
        {
            throw new HttpRequestException($"HTTP {(int)response.StatusCode}");
        }

        if (response.StatusCode is not HttpStatusCode.OK || NarCompression.OfContentEncoding(response.Content.Headers.ContentEncoding) is not { } encoding)
        {
            return new UpstreamAnswer.Failed($"http-{(int)response.StatusCode}");
        }

        var body = await ReadAsync(response.Content, encoding, cancellation);
        return body is null ? new UpstreamAnswer.Failed("narinfo-too-large")
            : !NarInfo.TryParse(body, out var narInfo, out var error) ? new UpstreamAnswer.Failed($"narinfo-{error}")
            : narInfo.StorePath.Digest != digest ? new UpstreamAnswer.Failed("narinfo-of-another-path")
            : new UpstreamAnswer.Found(narInfo);
    }

    /// <summary>The whole body; null when it is too large for a narinfo.</summary>
    private static async Task<byte[]?> ReadAsync(HttpContent content, string encoding, CancellationToken cancellation)
    {
        using var body = new MemoryStream();
        await using var stream = NarCompression.Open(encoding, await content.ReadAsStreamAsync(cancellation));
        var buffer = new byte[8 << 10];
        while (await stream.ReadAsync(buffer, cancellation) is var read and > 0)
        {
            body.Write(buffer, 0, read);
            if (body.Length > NarInfo.MaxSize)
            {
                return null;
            }
        }

        return body.ToArray();
    }
}
