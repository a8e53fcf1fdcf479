using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Health;
using TrustixProxy.Substituter.Revocations;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Composes the proxy; no other code refers to all its parts.</summary>
public static class SubstituterHost
{
    /// <summary>Creates the proxy; the caller starts it.</summary>
    /// <param name="options">The proxy's configuration.</param>
    /// <param name="configure">Configures the host, for example logging.</param>
    /// <param name="metrics">Answers <c>/metrics</c> on the operations listener; null disables it.</param>
    public static WebApplication Create(SubstituterOptions options, Action<WebApplicationBuilder>? configure = null,
        TimeProvider? time = null, RequestDelegate? metrics = null)
    {
        var clock = time ?? TimeProvider.System;
        ProxyReloader? reloader = null;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* no file
            and no variable but the program's own says anything */;
        var gate = new ConnectionGate(options.FrontDoor.LimitConnections(options.Deadline), clock);
        gate.TurnedAway += () => ClientMetrics.TurnedAway("overflow");
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(
            kestrel => Listeners.Configure(kestrel, options.FrontDoor, () => reloader!.Current.Options.FrontDoor, gate));
        builder.WebHost.UseSockets(sockets => (sockets.UnsafePreferInlineScheduling, sockets.MaxReadBufferSize) = (true,
            ConnectionGate.MaxUnread)) /* an answer from memory is written where its request was read; what waits does so asynchronously */;
        builder.Services.AddHttpForwarder();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
        configure?.Invoke(builder);
        builder.Logging.AddFilter(
            "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None) /* else each request makes an activity that nobody looks at */;
        builder.Services.AddSingleton(new DecisionJournal(clock));
        builder.Services.AddSingleton(services => new ProxyReloader(
            options, gate, services.GetRequiredService<IHttpForwarder>(), services.GetRequiredService<DecisionJournal>(),
            services.GetRequiredService<ILoggerFactory>(), clock));
        builder.Services.AddHostedService(services => services.GetRequiredService<ProxyReloader>());
        builder.Services.AddHostedService(services => new ControlSocket(
            Path.Combine(options.StateDirectory, ControlSocket.FileName), reloader!.Parts, clock, reloader.Parts.Value.Logger));
        builder.Services.AddHostedService(services => new WantedKeeper(reloader!.Parts, clock, reloader.Parts.Value.Logger));
        builder.Services.AddHostedService(services => new AgreementKeeper(
            reloader!.Parts, services.GetRequiredService<DecisionJournal>(), clock, reloader.Parts.Value.Logger));
        builder.Services.AddHostedService(services => new HistoryKeeper(
            reloader!.Parts, services.GetRequiredService<DecisionJournal>(), clock, reloader.Parts.Value.Logger));
        builder.Services.AddSingleton(_ => new HealthCheck(reloader!.Parts, clock));
        builder.Services.AddSingleton(services => new StateMetrics(reloader!.Parts, services.GetRequiredService<HealthCheck>()));
        builder.Services.AddSingleton(services => new OperationsServer(
            options, reloader!, services.GetRequiredService<HealthCheck>(),
            services.GetRequiredService<DecisionJournal>(), metrics, services.GetRequiredService<ILoggerFactory>(), clock));
        builder.Services.AddHostedService(services => services.GetRequiredService<OperationsServer>());

        var app = builder.Build();
        reloader = app.Services.GetRequiredService<ProxyReloader>();
        _ = app.Services.GetRequiredService<StateMetrics>(); // registers the gauges
        reloader.Parts.Value.NarStore?.Start();
        app.Run(context => gate.IsRefused(context) ? gate.RefuseAsync(context) : reloader.Current.AnswerAsync(context));
        return app;
    }

    /// <summary>Addresses of the operations listener, once it listens.</summary>
    public static IReadOnlyCollection<string> OperationsUrlsOf(WebApplication app) =>
        app.Services.GetRequiredService<OperationsServer>().Urls;

    /// <summary>Activates another configuration without dropping requests; in-flight requests finish under the old one.</summary>
    /// <returns>Keys that cannot change at run time, with reasons; nothing changes then. Empty on success.</returns>
    public static Task<IReadOnlyList<(string Key, string Reason)>> ReloadAsync(WebApplication app, SubstituterOptions options) =>
        app.Services.GetRequiredService<ProxyReloader>().ReloadAsync(options);
}
