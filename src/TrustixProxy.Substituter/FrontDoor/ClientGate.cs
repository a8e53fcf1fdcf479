using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.IO.Connections;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.Pipelining;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Authenticates clients and applies their rate and concurrency limits before a request is handled.</summary>
/// <remarks>
/// <code>
/// identify ──▶ limits of the client ──▶ limits of all ──▶ known? ──▶ turn ──▶ answer, at the limited rate
///              requests are queued; when the queue is full: 503 with Retry-After     decide ahead what waits behind it
/// </code>
/// A request decided ahead was charged to the rates then, and is charged only to the concurrencies when it arrives.
/// A client is identified by its authenticated name (of its credentials, else of its certificate), else by its address: IPv6 by /64, all
/// clients of a unix socket as one.</remarks>
internal sealed class ClientGate : IAsyncDisposable
{
    private readonly ClientCredentials? _credentials;
    private readonly ClientCertificates? _certificates;
    private readonly bool _isClosed;
    private readonly TimeProvider _time;
    private readonly PartitionedRateLimiter<Requester> _requests, _places;
    private readonly PartitionedRateLimiter<Requester>? _bytes;
    private readonly FairTurns? _turns;
    private readonly int _bytesAtOnce;
    private readonly LookAhead _ahead;
    private readonly Func<Requester, IDisposable?> _charge;
    private readonly RequestDelegate _next;

    private const string Overflow = "too many requests are queued; retry later\n";

    /// <param name="options">The proxy's configuration.</param>
    /// <param name="ahead">Decides on requests that wait behind others.</param>
    public ClientGate(FrontDoorOptions options, LookAhead ahead, TimeProvider time, RequestDelegate next)
    {
        (_credentials, _certificates, _isClosed) = (options.Credentials, options.ClientCertificates, options.IsClosed);
        (_ahead, _charge, _next, _time) = (ahead, Charge, next, time);
        var (each, all) = (options.EachClient, options.AllClients);
        var unlimited = PartitionedRateLimiter.Create<Requester, string>(_ => RateLimitPartition.GetNoLimiter(""));
        PartitionedRateLimiter<Requester>[] own = [.. each.LimitConcurrency()];
        _requests = PartitionedRateLimiter.CreateChained(
            [.. each.LimitRate(client => client), .. own, .. all.LimitRate(_ => default), unlimited]);
        _places = PartitionedRateLimiter.CreateChained([.. own, unlimited]);
        _turns = all.Concurrency is { } most ? new FairTurns(most, Math.Max(1, most - (most / 8)), all.Waiting) : null;
        PartitionedRateLimiter<Requester>[] bytes = [.. each.LimitBytes(client => client), .. all.LimitBytes(_ => default)];
        _bytes = bytes.Length is 0 ? null : PartitionedRateLimiter.CreateChained(bytes);
        _bytesAtOnce = Math.Min(64 << 10, Math.Min(each.BytesPerSecond ?? int.MaxValue, all.BytesPerSecond ?? int.MaxValue));
    }

    /// <summary>Whether any check is configured; if not, the gate is left out.</summary>
    public static bool IsNeeded(FrontDoorOptions options) =>
        options.IsClosed || new[] { options.EachClient, options.AllClients }.Any(
            limits => limits is not { Concurrency: null, RequestsPerSecond: null, BytesPerSecond: null });

    public async Task AnswerAsync(HttpContext context)
    {
        var (name, refusal) = Identify(context);
        var client = name is null ? Requester.Of(context) : new Requester(name, default);
        if (name is not null)
        {
            client.Follow();
        }

        try
        {
            var pipelined = context.Features.Get<PipelinedConnection>();
            var acquiring = (pipelined is { IsCharged: true } ? _places : _requests).AcquireAsync(client, 1, context.RequestAborted);
            if (!acquiring.IsCompleted)
            {
                pipelined?.Release();
            }

            using var lease = await acquiring;
            if (!lease.IsAcquired)
            {
                await PutOffAsync(context, Overflow, lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : default);
            }
            else if (_isClosed && name is null)
            {
                await ChallengeAsync(context, refusal);
            }
            else
            {
                await ServeInTurnAsync(context, client);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client disconnected.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _requests.DisposeAsync();
        await _places.DisposeAsync();
        if (_bytes is not null)
        {
            await _bytes.DisposeAsync();
        }
    }

    /// <summary>Returns the name of a request's client, or why it is not let in.</summary>
    private (string? Name, string Refusal) Identify(HttpContext context)
    {
        const string noCredentials = "this cache requires credentials; Nix sends those of its netrc-file";
        var name = _credentials?.Find(context.Request.Headers.Authorization);
        var shown = context.Features.Get<ShownCertificate>();
        return name is not null || _certificates is null || (shown is null && _credentials is not null) ? (name, noCredentials)
            : (_certificates.Find(shown, _time.GetUtcNow(), out var reason), reason);
    }

    /// <summary>Serves a request once it is its client's turn among all clients.</summary>
    private async Task ServeInTurnAsync(HttpContext context, Requester client)
    {
        using var place = _turns?.TryTake(client) ?? await WaitAsync(context, client);
        await (place is null && _turns is not null ? PutOffAsync(context, Overflow) : ServeAsync(context, client));
    }

    private async ValueTask<IDisposable?> WaitAsync(HttpContext context, Requester client)
    {
        if (_turns is null)
        {
            return null;
        }

        context.Features.Get<PipelinedConnection>()?.Release();
        var turn = new Turn();
        _turns.Join(turn, client);
        return await _turns.TakeAsync(turn, context.RequestAborted);
    }

    private async Task ServeAsync(HttpContext context, Requester client)
    {
        context.Features.Get<PipelinedConnection>()?.Admit(_ahead, _charge, client);
        if (_bytes is null || context.Features.Get<IHttpResponseBodyFeature>() is not { } body)
        {
            await _next(context);
            return;
        }

        context.Features.Get<PipelinedConnection>()?.Release(); // the rate may hold this answer up
        var metered = new WrappedBody(new MeteredStream(body.Stream, _bytes, client, _bytesAtOnce), body);
        context.Features.Set<IHttpResponseBodyFeature>(metered);
        await _next(context);
        await metered.CompleteAsync();
    }

    /// <summary>Charges a request that waits behind another one; null if it would have to queue.</summary>
    private Charged? Charge(Requester client)
    {
        var place = _turns?.TryTake(client);
        if (_turns is not null && place is null)
        {
            return null;
        }

        using var room = _requests.AttemptAcquire(client, 0); // takes nothing; a failed attempt to take one may cost some limiters one
        var lease = room.IsAcquired ? _requests.AttemptAcquire(client) : null;
        if (lease is { IsAcquired: true })
        {
            return new Charged(lease, place);
        }

        lease?.Dispose();
        place?.Dispose();
        return null;
    }

    /// <summary>Answers 503 with Retry-After.</summary>
    public static Task PutOffAsync(HttpContext context, string text, TimeSpan after = default)
    {
        ClientMetrics.TurnedAway("overflow");
        context.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(after.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return WriteAsync(context, StatusCodes.Status503ServiceUnavailable, text);
    }

    /// <summary>Answers 401 with what credentials are taken; 403 where only certificates are.</summary>
    private Task ChallengeAsync(HttpContext context, string refusal)
    {
        ClientMetrics.TurnedAway("unknown");
        context.Response.Headers.WWWAuthenticate = _credentials?.Challenge ?? default;
        var status = _credentials is null ? StatusCodes.Status403Forbidden : StatusCodes.Status401Unauthorized;
        return WriteAsync(context, status, refusal + "\n");
    }

    private static Task WriteAsync(HttpContext context, int status, string text)
    {
        context.Response.Headers.CacheControl = "no-store";
        return context.WriteTextAsync(status, text);
    }

    private sealed record Charged(IDisposable Lease, IDisposable? Place) : IDisposable
    {
        public void Dispose()
        {
            Lease.Dispose();
            Place?.Dispose();
        }
    }
}
