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

    private readonly Uri _base;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _pipeline;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ConcurrentDictionary<StorePathDigest, Lazy<Task<UpstreamAnswer>>> _underway = new();
    private readonly MemoryCache _found = new(new MemoryCacheOptions { SizeLimit = 8 << 20 });

    public Upstream(UpstreamOptions options, TimeSpan timeout, TimeProvider time, HttpMessageHandler? network = null)
    {
        (Options, _time) = (options, time);
        _base = new Uri(options.Url.AbsoluteUri.TrimEnd('/') + "/");
        Http = new HttpMessageInvoker(new UpstreamTransport(_base, network), disposeHandler: network is null);
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

    /// <summary>Whether it has failed so often of late that it is not asked.</summary>
    public bool IsDown => _state.CircuitState is not CircuitState.Closed;

    /// <summary>Sends requests to it, redirects followed.</summary>
    public HttpMessageInvoker Http { get; }

    /// <summary>Asks once, for all who want to know at the moment; a narinfo that was found a few minutes ago is not asked for again.</summary>
    public async Task<UpstreamAnswer> AskAsync(StorePathDigest digest, CancellationToken cancellation)
    {
        if (_found.TryGetValue(digest, out (UpstreamAnswer.Found Answer, long At) known) && _time.GetElapsedTime(known.At) < FoundLifetime)
        {
            return known.Answer;
        }

        return await _underway.GetOrAdd(digest, key => new Lazy<Task<UpstreamAnswer>>(() => AskAsync(key))).Value.WaitAsync(cancellation);
    }

    /// <summary>Forgets the narinfo of a digest, so that it is asked for again.</summary>
    public void Forget(StorePathDigest digest) => _found.Remove(digest);

    /// <summary>The address of a NAR; null when the narinfo's URL leads where this upstream may not lead.</summary>
    public Uri? AddressOf(NarInfo narInfo) => Uri.TryCreate(_base, narInfo.Url, out var address) && UpstreamTransport.MayLead(_base, address) ? address : null;

    public void Dispose()
    {
        Http.Dispose();
        _found.Dispose();
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
            if (answer is UpstreamAnswer.Found found)
            {
                var size = 1024 + (found.NarInfo.References.Length * 128);
                _found.Set(digest, (found, _time.GetTimestamp()), new MemoryCacheEntryOptions { Size = size, AbsoluteExpirationRelativeToNow = FoundLifetime });
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

    private static string? ReasonOf(Exception exception) => exception switch
    {
        BrokenCircuitException => "breaker-open",
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
