using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.Publisher;

/// <summary>Serves a publisher's state: <c>/healthz</c> and <c>/metrics</c>.</summary>
public static class PublisherHost
{
    /// <summary>Maximum number of concurrent connections.</summary>
    private const int MaxConnections = 64;

    /// <summary>Creates the host; the caller starts it.</summary>
    /// <param name="publisher">The publisher to report on; the caller owns it.</param>
    /// <param name="listen">Addresses: <c>http://host:port</c> or <c>unix:/path</c>; at least one.</param>
    /// <param name="configure">Adds to the host, for example logging.</param>
    /// <param name="metrics">Handles <c>/metrics</c>.</param>
    public static WebApplication Create(
        SpoolPublisher publisher, ImmutableArray<string> listen, Action<WebApplicationBuilder> configure, RequestDelegate metrics)
    {
        var limits = new ConnectionLimits { Connections = MaxConnections, PerClient = MaxConnections / 2 };
        var gate = new ConnectionGate(limits, TimeProvider.System);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* as in the log node */;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.LimitTimes(limits);
            foreach (var address in listen)
            {
                Listener.Add(kestrel, address, isPrivate: true, gate);
            }
        });
        configure(builder);
        var app = builder.Build();
        app.Run(http => (http.Request.Method, http.Request.Path.Value) switch
        {
            ("GET" or "HEAD", "/healthz") => AnswerHealthAsync(publisher.Last, http),
            ("GET" or "HEAD", "/metrics") => metrics(http),
            _ when gate.IsRefused(http) => gate.RefuseAsync(http),
            _ => http.WriteTextAsync(StatusCodes.Status404NotFound, "only GET /healthz and /metrics are served here\n"),
        });
        return app;
    }

    /// <summary>Responds 200 while no fault keeps jobs in the spool; else 503 with the fault.</summary>
    private static Task AnswerHealthAsync(PublishPass? last, HttpContext http) =>
        last is null or { Fault: PublishFault.None } ? http.WriteTextAsync(StatusCodes.Status200OK, "ok\n")
            : http.WriteTextAsync(StatusCodes.Status503ServiceUnavailable, last.Fault switch
            {
                PublishFault.Refused => $"the log refuses submissions; jobs waiting: {last.Waiting}\n",
                PublishFault.Busy => $"the log accepts no submissions at the moment; jobs waiting: {last.Waiting}\n",
                PublishFault.Unreachable => $"the log cannot be reached; jobs waiting: {last.Waiting}\n",
                PublishFault.NoNix => $"Nix cannot be queried; jobs waiting: {last.Waiting}\n",
                PublishFault.NoGuix => "the database of Guix's daemon cannot be read\n",
                _ => "the spool cannot be read or written to\n",
            });
}
