using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.AptGate.Serving;
using TrustixProxy.IO.Connections;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>Composes the gate for Debian packages.</summary>
public static class AptGateHost
{
    private const int MaxRequestLine = 4 << 10, MaxHeaders = 16 << 10, MaxHeaderCount = 64;

    /// <summary>Creates the gate; the caller starts it.</summary>
    /// <param name="options">The gate's configuration.</param>
    /// <param name="configure">Configures the host, for example logging.</param>
    /// <param name="metrics">Answers <c>/metrics</c> on the operations listener; null disables it.</param>
    /// <exception cref="IOException">A folder cannot be made.</exception>
    /// <exception cref="Microsoft.Data.Sqlite.SqliteException">A database cannot be used.</exception>
    public static WebApplication Create(AptGateOptions options, Action<WebApplicationBuilder>? configure = null,
        TimeProvider? time = null, RequestDelegate? metrics = null)
    {
        var clock = time ?? TimeProvider.System;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* no file
            and no variable but the program's own says anything */;
        var gate = new ConnectionGate(options.Connections, clock);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Listen(kestrel, options, gate));
        builder.WebHost.UseSockets(sockets => sockets.MaxReadBufferSize = ConnectionGate.MaxUnread);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
        configure?.Invoke(builder);
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        builder.Services.AddSingleton(services => new GateParts(
            options, clock, Limit(services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.AptGate"), clock)));
        builder.Services.AddSingleton(services => new GateOperations(
            services.GetRequiredService<GateParts>(), metrics, services.GetRequiredService<ILoggerFactory>(), clock));
        builder.Services.AddHostedService(services => services.GetRequiredService<GateOperations>());
        builder.Services.AddHostedService(services => new GateKeeper(services.GetRequiredService<GateParts>(), clock,
            services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.AptGate")));

        var app = builder.Build();
        var parts = app.Services.GetRequiredService<GateParts>();
        app.Run(context => gate.IsRefused(context) ? gate.RefuseAsync(context) : parts.Door.AnswerAsync(context));
        return app;
    }

    /// <summary>The addresses of the operations listener, once it listens.</summary>
    public static IReadOnlyCollection<string> OperationsUrls(WebApplication app) =>
        app.Services.GetRequiredService<GateOperations>().Urls;

    private static void Listen(KestrelServerOptions kestrel, AptGateOptions options, ConnectionGate gate)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.LimitTimes(options.Connections);
        (kestrel.Limits.MaxRequestLineSize, kestrel.Limits.MaxRequestHeadersTotalSize, kestrel.Limits.MaxRequestHeaderCount,
            kestrel.Limits.MaxRequestBodySize) = (MaxRequestLine, MaxHeaders, MaxHeaderCount, 0);
        kestrel.ConfigureEndpointDefaults(listen => listen.Use(next => connection => UnreadRequests.ServeAsync(connection, next)));
        foreach (var address in options.Listen)
        {
            Listener.Add(kestrel, address, isPrivate: false, gate);
        }
    }

    /// <summary>Creates a logger that limits messages clients and servers can cause at will to one a minute each.</summary>
    private static LimitedLogger Limit(ILogger logger, TimeProvider time) => new(
        logger, ["Refused", "IndexUnread", "StoreRefused", "PassingFileRefused", "StoredFileDamaged"], time);
}
