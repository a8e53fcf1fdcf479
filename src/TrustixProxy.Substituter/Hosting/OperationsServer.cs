using System.Net;
using System.Net.Http.Headers;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Dashboard;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Serves the operations listener, separate from the clients'. Read-only except for gossip.</summary>
/// <remarks>
/// <code>
/// GET  /healthz            200 while the process answers
/// GET  /readyz             200 while decisions are possible, else 503; with the states of logs, caches and upstreams
/// GET  /metrics            metrics, if the host provides them
/// GET  /decisions/DIGEST   the bundle of the last decision, for trustix-proxy verify; 404 if none is stored
/// GET  /wanted             the work list: undecided paths that clients asked for; off this machine only with a token
/// GET  /gossip/heads       the newest signed heads seen
/// POST /gossip/heads       accepts a peer's heads and answers with ours
/// GET  /                   the dashboard, and its other pages
/// </code>
/// Requests must name this machine or one of <c>operations.hosts</c>, and POSTs must be JSON. This blocks DNS rebinding and cross-site
/// forms.</remarks>
internal sealed class OperationsServer : IHostedService, IAsyncDisposable
{
    /// <summary>Time limit for a peer's message.</summary>
    private static readonly TimeSpan BodyLimit = TimeSpan.FromSeconds(10);

    /// <summary>Maximum concurrent connections: people, a scraper, peers, and pages following events.</summary>
    private static readonly int MaxConnections = Math.Min(256, ConnectionLimits.Default / 4);

    private readonly WebApplication _app;
    private readonly SubstituterOptions _options;
    private readonly ProxyReloader _reloader;
    private readonly HealthCheck _check;
    private readonly RequestDelegate? _metrics;
    private readonly DashboardEndpoints _dashboard;

    /// <summary>Limits on concurrent peers and their rate, since their heads cause queries to logs.</summary>
    private readonly PartitionedRateLimiter<HttpContext> _peers = PartitionedRateLimiter.CreateChained(
        PartitionedRateLimiter.Create<HttpContext,
            string>(_ => RateLimitPartition.GetConcurrencyLimiter("", _ => new ConcurrencyLimiterOptions { PermitLimit = 8 })),
        PartitionedRateLimiter.Create<HttpContext, IPAddress>(
            context => RateLimitPartition.GetConcurrencyLimiter(Peer(context), _ => new ConcurrencyLimiterOptions { PermitLimit = 2 })),
        PartitionedRateLimiter.Create<HttpContext, IPAddress>(context => RateLimitPartition.GetTokenBucketLimiter(
            Peer(context), _ =>
                new TokenBucketRateLimiterOptions
                {
                    TokenLimit = 20,
                    TokensPerPeriod = 1,
                    ReplenishmentPeriod = TimeSpan.FromSeconds(1)
                })));

    /// <param name="options">The configuration that the listener starts with.</param>
    /// <param name="reloader">Holds the active configuration.</param>
    /// <param name="check">Says whether a decision can be made.</param>
    /// <param name="journal">The last decisions, for the dashboard.</param>
    /// <param name="metrics">Answers <c>/metrics</c>; null when the host gives none.</param>
    /// <param name="loggers">Logs what the listener does.</param>
    public OperationsServer(SubstituterOptions options, ProxyReloader reloader, HealthCheck check, DecisionJournal journal,
        RequestDelegate? metrics, ILoggerFactory loggers, TimeProvider time)
    {
        (_options, _reloader, _check, _metrics) = (options, reloader, check, metrics);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var limits = new ConnectionLimits
        {
            Connections = MaxConnections,
            PerClient = MaxConnections / 2,
            HeaderTimeout = options.FrontDoor.HeaderTimeout
        };
        var gate = new ConnectionGate(limits, time);
        gate.TurnedAway += () => ClientMetrics.TurnedAway("operations");
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            (kestrel.AddServerHeader, kestrel.Limits.MaxRequestBodySize) = (false, Gossip.MaxSize);
            kestrel.Limits.LimitTimes(limits);
            kestrel.ConfigureEndpointDefaults(listen =>
            {
                listen.UseGate(gate);
                listen.CloseSilent(gate);
            });
        });
        builder.WebHost.UseUrls([.. options.OperationsListen]);
        builder.Services.Add(new(typeof(ILoggerFactory), loggers));
        _app = builder.Build();
        _dashboard = new DashboardEndpoints(
            reloader.Parts, check, journal, options.StateDirectory,
            new LiveEvents(journal, check, () => reloader.Current.Parts.Given.Count, time, _app.Lifetime.ApplicationStopping),
            context => WantedEndpoint.MayRead(context, reloader.Current.Parts.Options.WantedReaders));
        _app.Run(context => gate.IsRefused(context) ? gate.RefuseAsync(context) : AnswerAsync(context));
    }

    /// <summary>Its addresses, once it listens.</summary>
    public IReadOnlyCollection<string> Urls => [.. _app.Urls];

    public Task StartAsync(CancellationToken cancellationToken) =>
        _options.OperationsListen.IsEmpty ? Task.CompletedTask : _app.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) =>
        _options.OperationsListen.IsEmpty ? Task.CompletedTask : _app.StopAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _peers.DisposeAsync();
    }

    private Task AnswerAsync(HttpContext context)
    {
        const string decisions = "/decisions/";
        var (method, path) = (context.Request.Method, context.Request.Path.Value ?? "");
        if (!IsOurs(context.Request.Host.Host))
        {
            return WriteAsync(context, StatusCodes.Status421MisdirectedRequest,
                $"Host '{context.Request.Host}' is not allowed here; add it to operations.hosts\n");
        }

        if (path is "/gossip/heads" && HttpMethods.IsPost(method))
        {
            return HearAsync(context);
        }

        if (!HttpMethods.IsGet(method) && !HttpMethods.IsHead(method))
        {
            context.Response.Headers.Allow = path is "/gossip/heads" ? "GET, HEAD, POST" : "GET, HEAD";
            return WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "read only\n");
        }

        return path is "/healthz" ? WriteAsync(context, StatusCodes.Status200OK, "ok\n")
            : path is "/readyz" ? AnswerReadyAsync(context)
            : path is "/metrics" && _metrics is not null ? _metrics(context)
            : path is "/wanted" ? WantedEndpoint.AnswerAsync(context, _reloader.Current.Parts)
            : path is "/gossip/heads" ? WriteJsonAsync(context, StatusCodes.Status200OK, _reloader.Current.Gossip.Tell())
            : path.StartsWith(decisions, StringComparison.Ordinal)
                && StorePathDigest.TryParse(path.AsSpan(decisions.Length), out var digest) ? AnswerDecisionAsync(context, digest)
            : _dashboard.TryAnswer(context) ?? WriteAsync(context, StatusCodes.Status404NotFound, "not found\n");
    }

    private Task AnswerReadyAsync(HttpContext context)
    {
        var health = _check.Look();
        return WriteJsonAsync(context, health.CanDecide ? StatusCodes.Status200OK
            : StatusCodes.Status503ServiceUnavailable, health.ToJson());
    }

    private Task AnswerDecisionAsync(HttpContext context, StorePathDigest digest) =>
        _reloader.Current.Parts.Decider.FindBundle(digest) is { } bundle
        ? WriteJsonAsync(context, StatusCodes.Status200OK, bundle)
        : WriteAsync(context, StatusCodes.Status404NotFound, $"no decision on {digest} is stored; trustix-proxy explain makes one\n");

    private async Task HearAsync(HttpContext context)
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) || type.MediaType is not "application/json")
        {
            await WriteAsync(context, StatusCodes.Status415UnsupportedMediaType, "heads must be sent as application/json\n");
            return;
        }

        using var lease = _peers.AttemptAcquire(context);
        if (!lease.IsAcquired)
        {
            context.Response.Headers.RetryAfter = "1";
            await WriteAsync(context, StatusCodes.Status429TooManyRequests, "too many head exchanges at once; retry later\n");
            return;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(BodyLimit);
        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, limit.Token);
            var isHeard = await _reloader.Current.Gossip.HearAsync(body.ToArray(), $"peer {Peer(context)}");
            await (isHeard ? WriteJsonAsync(context, StatusCodes.Status200OK, _reloader.Current.Gossip.Tell())
                : WriteAsync(context, StatusCodes.Status400BadRequest, "this is not a valid message of heads\n"));
        }
        catch (BadHttpRequestException exception)
        {
            await WriteAsync(context, exception.StatusCode, $"{exception.Message}\n");
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            context.Abort(); // too slow, or disconnected
        }
    }

    private static IPAddress Peer(HttpContext context) => context.Connection.RemoteIpAddress ?? IPAddress.None;

    private bool IsOurs(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address))
        || _reloader.Current.Parts.Options.OperationsHosts.Contains(host, StringComparer.OrdinalIgnoreCase);

    private static Task WriteAsync(HttpContext context, int status, string text)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return context.WriteTextAsync(status, text);
    }

    private static Task WriteJsonAsync(HttpContext context, int status, byte[] body)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return context.WriteBodyAsync(status, "application/json", body);
    }
}
