using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
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
    public static WebApplication Create(SubstituterOptions options, Action<WebApplicationBuilder>? configure = null, TimeProvider? time = null)
    {
        var clock = time ?? TimeProvider.System;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* no file and no variable but the program's own says anything */;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls([.. options.Listen]);
        builder.Services.AddHttpForwarder();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
        configure?.Invoke(builder);
        builder.Services.AddSingleton(services => Parts.Make(options, services, clock));
        builder.Services.AddHostedService(services => new HeadPoller([.. services.GetRequiredService<Parts>().Logs], options.HeadPollInterval, clock));
        builder.Services.AddHostedService(services => new DecisionPruner(services.GetRequiredService<Parts>().Cache, clock));

        var app = builder.Build();
        var endpoints = app.Services.GetRequiredService<Parts>().Endpoints;
        app.Run(endpoints.AnswerAsync);
        return app;
    }

    /// <summary>Everything that lives as long as the host, disposed with it.</summary>
    private sealed record Parts(
        IReadOnlyList<WatchedLog> Logs, DecisionCache Cache, SubstituterEndpoints Endpoints, IReadOnlyList<IDisposable> Owned) : IDisposable
    {
        public static Parts Make(SubstituterOptions options, IServiceProvider services, TimeProvider time)
        {
            var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy");
            var timeout = options.Deadline / 2;
            var views = new ViewStore(options.StateDirectory);
            var connections = options.Logs.Select(log => new ConnectClient(LogTransport.Create(log.Url), timeout, time)).ToList();
            var watched = options.Logs.Zip(connections, (log, connect) => new WatchedLog(log.Elector.Name, log.Elector.Key, new LogClient(connect, log.Elector.Key.LogId, time), views, time, logger)).ToList();
            var upstreams = options.Upstreams.Select(upstream => new Upstream(upstream, timeout, time)).ToList();
            var caches = options.Caches.Select(cache => upstreams.Find(upstream => upstream.Options.Url == cache.Url) ?? new Upstream(new UpstreamOptions(cache.Elector.Name, cache.Url, 0), timeout, time)).ToList();
            List<ElectorClient> electors = [.. options.Logs.Zip(watched, (log, view) => new LogElector(log.Elector, view, time)), .. options.Caches.Zip(caches, (cache, source) => new CacheElector(cache.Elector, source))];
            var marks = new UpstreamMarks();
            var cache = new DecisionCache(
                new DecisionStore(options.StateDirectory), new SignatureAudit(options.StateDirectory), new DecisionSeal(options.SigningKey, options.Policy), options.Policy,
                new NarInfoSigner(options.SigningKey), () => Frozen(electors), options.DecisionMemory, time, logger);
            var decider = new Decider(cache, digest => new Deliberation(digest, electors, upstreams, marks, options.Policy, options.Deadline, time), upstreams, time, logger);
            var forwarder = new NarForwarder(upstreams, marks, services.GetRequiredService<IHttpForwarder>(), decider.Renew, options.Deadline, time, logger);
            var closure = new ClosureGate(decider.DecideAsync, options.Deadline, time);
            var endpoints = new SubstituterEndpoints(options.Policy.RequiresClosure ? closure.DecideAsync : decider.DecideAsync, forwarder, options, time);
            return new Parts(watched, cache, endpoints, [closure, decider, cache, marks, views, .. connections, .. upstreams.Union(caches)]);
        }

        public void Dispose()
        {
            foreach (var part in Owned)
            {
                part.Dispose();
            }
        }

        private static HashSet<string> Frozen(List<ElectorClient> electors)
        {
            var frozen = new HashSet<string>();
            foreach (var elector in electors)
            {
                if (elector.IsFrozen)
                {
                    frozen.Add(elector.Elector.Name);
                }
            }

            return frozen;
        }
    }
}
