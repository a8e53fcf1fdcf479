using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.Apt;
using TrustixProxy.IO.Connections;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>Serves the operations listener, separate from the clients'; read only.</summary>
/// <remarks>
/// <code>
/// GET /healthz            200 while the process answers
/// GET /readyz             200 while packages can be decided on, else 503; with the states of archives and rebuilders
/// GET /metrics            metrics, if the host provides them
/// GET /decisions/SHA256   the bundle of the latest decision on a file, for trustix-proxy apt verify
/// GET /releases           the Release files that archives served
/// GET /                   the dashboard
/// </code>
/// Requests must name this machine or one of <c>operations.hosts</c>, which blocks DNS rebinding.</remarks>
internal sealed class GateOperations : IHostedService, IAsyncDisposable
{
    private const string ContentSecurityPolicy =
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private const string Decisions = "/decisions/";

    /// <summary>Maximum concurrent connections: people, and a scraper.</summary>
    private static readonly int MaxConnections = Math.Min(64, ConnectionLimits.Default / 4);

    private static readonly byte[] Style = ReadStyle();

    private readonly WebApplication _app;
    private readonly GateParts _parts;
    private readonly RequestDelegate? _metrics;

    /// <param name="metrics">Answers <c>/metrics</c>; null when the host gives none.</param>
    public GateOperations(GateParts parts, RequestDelegate? metrics, ILoggerFactory loggers, TimeProvider time)
    {
        (_parts, _metrics) = (parts, metrics);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var limits = new ConnectionLimits { Connections = MaxConnections, PerClient = MaxConnections / 2 };
        var gate = new ConnectionGate(limits, time);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            (kestrel.AddServerHeader, kestrel.Limits.MaxRequestBodySize) = (false, 0);
            kestrel.Limits.LimitTimes(limits);
            kestrel.ConfigureEndpointDefaults(listen =>
            {
                listen.UseGate(gate);
                listen.CloseSilent(gate);
            });
        });
        builder.WebHost.UseUrls([.. parts.Options.OperationsListen]);
        builder.Services.Add(new(typeof(ILoggerFactory), loggers));
        _app = builder.Build();
        _app.Run(context => gate.IsRefused(context) ? gate.RefuseAsync(context) : AnswerAsync(context));
    }

    /// <summary>Its addresses, once it listens.</summary>
    public IReadOnlyCollection<string> Urls => [.. _app.Urls];

    public Task StartAsync(CancellationToken cancellationToken) =>
        _parts.Options.OperationsListen.IsEmpty ? Task.CompletedTask : _app.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) =>
        _parts.Options.OperationsListen.IsEmpty ? Task.CompletedTask : _app.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var (method, path) = (context.Request.Method, context.Request.Path.Value ?? "");
        if (!IsOurs(context.Request.Host.Host))
        {
            return WriteAsync(context, StatusCodes.Status421MisdirectedRequest, "text/plain; charset=utf-8",
                Encoding.UTF8.GetBytes($"Host '{context.Request.Host}' is not allowed here; add it to operations.hosts\n"));
        }

        if (!HttpMethods.IsGet(method) && !HttpMethods.IsHead(method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            return WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "read only\n");
        }

        return path switch
        {
            "/" => WriteAsync(context, 200, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(GatePage.Of(_parts).ToString())),
            "/dashboard.css" => WriteAsync(context, 200, "text/css; charset=utf-8", Style),
            "/healthz" => WriteAsync(context, 200, "ok\n"),
            "/readyz" => AnswerReadyAsync(context),
            "/metrics" when _metrics is not null => _metrics(context),
            "/releases" => WriteAsync(context, 200, "application/json", Releases()),
            _ when path.StartsWith(Decisions, StringComparison.Ordinal) => AnswerDecisionAsync(context, path[Decisions.Length..]),
            _ => WriteAsync(context, StatusCodes.Status404NotFound, "not found\n"),
        };
    }

    private Task AnswerReadyAsync(HttpContext context)
    {
        var health = GateHealth.Of(_parts);
        return WriteAsync(
            context, health.Ready ? 200 : StatusCodes.Status503ServiceUnavailable, "application/json", health.ToJson());
    }

    private Task AnswerDecisionAsync(HttpContext context, string text)
    {
        var bundle = text.Length is Digest.Size * 2 && text.All(char.IsAsciiHexDigitLower)
            ? BundleOf(new Digest(Convert.FromHexString(text))) : null;
        return bundle is null ? WriteAsync(context, StatusCodes.Status404NotFound, "no decision on such a file is stored\n")
            : WriteAsync(context, 200, "application/json", bundle.ToBytes());
    }

    private DebBundle? BundleOf(Digest sha256) => _parts.Journal.Find(sha256) ?? _parts.Decisions.AskedOf(sha256)
        .Select(asked => DebFile.TryParse(asked.Split(' ')[0], out var file) ? _parts.Decider.Recall(new AskedDeb(file, sha256)) : null)
        .FirstOrDefault(decision => decision is not null)?.Bundle;

    private byte[] Releases() => JsonSerializer.SerializeToUtf8Bytes<IReadOnlyList<ToldRelease>>(
        [.. _parts.Releases.List().Select(release => new ToldRelease(
            release.Archive, release.Suite, release.Sha256.ToString(), release.SeenAt, release.IsSubmitted))],
        GateJson.Default.IReadOnlyListToldRelease);

    private bool IsOurs(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address))
        || _parts.Options.OperationsHosts.Contains(host, StringComparer.OrdinalIgnoreCase);

    private static Task WriteAsync(HttpContext context, int status, string text) =>
        WriteAsync(context, status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text));

    private static Task WriteAsync(HttpContext context, int status, string type, byte[] body)
    {
        var headers = context.Response.Headers;
        (headers.XContentTypeOptions, headers.ContentSecurityPolicy, headers.XFrameOptions, headers.CacheControl) =
            ("nosniff", ContentSecurityPolicy, "DENY", "no-store");
        return context.WriteBodyAsync(status, type, body);
    }

    private static byte[] ReadStyle()
    {
        using var resource = typeof(GateOperations).Assembly.GetManifestResourceStream(typeof(GateOperations), "dashboard.css")!;
        using var bytes = new MemoryStream();
        resource.CopyTo(bytes);
        return bytes.ToArray();
    }
}
