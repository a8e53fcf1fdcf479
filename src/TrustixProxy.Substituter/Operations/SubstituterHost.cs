using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.Substituter.Clients;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Listening;
using TrustixProxy.Substituter.Mirrors;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.Substituter.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Operations;

/// <summary>Puts the proxy together: the one place where its parts meet.</summary>
public static class SubstituterHost
{
    /// <summary>Makes the proxy; starting it is the caller's.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="configure">What the caller adds to the host: logging, say.</param>
    /// <param name="time">The clock; the system's when null.</param>
    /// <param name="metrics">Answers <c>/metrics</c> on the operations listener; nothing does when null.</param>
    public static WebApplication Create(SubstituterOptions options, Action<WebApplicationBuilder>? configure = null, TimeProvider? time = null, Func<HttpContext, Task>? metrics = null)
    {
        var clock = time ?? TimeProvider.System;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* no file and no variable but the program's own says anything */;
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => Listeners.Configure(kestrel, options, () => options.Certificate));
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true) /* an answer from memory is written where its request was read; what waits does so asynchronously */;
        builder.Services.AddHttpForwarder();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
        configure?.Invoke(builder);
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None) /* else each request makes an activity that nobody looks at */;
        builder.Services.AddSingleton(new DecisionJournal(clock));
        builder.Services.AddSingleton(services => new DecidingParts(options, services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy"), clock, journal: services.GetRequiredService<DecisionJournal>()));
        builder.Services.AddSingleton(services => services.GetRequiredService<DecidingParts>().Forward(services.GetRequiredService<IHttpForwarder>()));
        if (options.Redis is not null)
        {
            builder.Services.AddHostedService(services => services.GetRequiredService<DecidingParts>().Redis!);
            builder.Services.AddHostedService(services => services.GetRequiredService<DecidingParts>().ViewExchange!);
        }

        builder.Services.AddHostedService(services => services.GetRequiredService<DecidingParts>().RevocationExchange);
        builder.Services.AddHostedService(services => new ControlSocket(
            Path.Combine(options.StateDirectory, ControlSocket.FileName), services.GetRequiredService<DecidingParts>().Revocations, services.GetRequiredService<DecidingParts>().Logger));
        builder.Services.AddHostedService(services => new HeadPoller(services.GetRequiredService<DecidingParts>().Polled, options.HeadPollInterval, clock));
        builder.Services.AddHostedService(services => new MirrorFollower(services.GetRequiredService<DecidingParts>().Mirrors, options.MirrorPollInterval, clock));
        builder.Services.AddHostedService(services => services.GetRequiredService<DecidingParts>().Prefetch);
        builder.Services.AddHostedService(services => new DecisionPruner(services.GetRequiredService<DecidingParts>().Prune, clock));
        builder.Services.AddSingleton(services => new HealthCheck(services.GetRequiredService<DecidingParts>, clock));
        builder.Services.AddSingleton(services => new StateMetrics(services.GetRequiredService<DecidingParts>, services.GetRequiredService<HealthCheck>()));
        builder.Services.AddSingleton(services => new Gossip(services.GetRequiredService<DecidingParts>().Logs));
        builder.Services.AddSingleton(services => new OperationsServer(options, services.GetRequiredService<DecidingParts>, services.GetRequiredService<HealthCheck>(), services.GetRequiredService<DecisionJournal>(), services.GetRequiredService<Gossip>(), metrics, services.GetRequiredService<ILoggerFactory>(), clock));
        builder.Services.AddHostedService(services => services.GetRequiredService<OperationsServer>());
        builder.Services.AddHostedService(services => new GossipExchange(
            services.GetRequiredService<Gossip>(), options.GossipPeers, options.GossipInterval, clock, services.GetRequiredService<DecidingParts>().Logger));

        var app = builder.Build();
        var parts = app.Services.GetRequiredService<DecidingParts>();
        _ = app.Services.GetRequiredService<StateMetrics>(); // shows gauges from now on, to whoever listens
        parts.NarStore?.Start();
        RequestDelegate answer = new SubstituterEndpoints(
            parts.FindWarm, parts.DecideAsync, claim => parts.Revocations.Standing.Find(claim) is not null, app.Services.GetRequiredService<NarForwarder>(), options, clock).AnswerAsync;
        answer = ClientGate.IsNeeded(options) ? new ClientGate(options, answer).AnswerAsync : answer;
        app.Run(options.ForwardedFrom?.Before(answer, app.Services.GetRequiredService<ILoggerFactory>()) ?? answer);
        return app;
    }
}
