using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Connections;
using TrustixProxy.IO.Storage;
using TrustixProxy.IO.Supervision;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.LogNode.Witnessing;

namespace TrustixProxy.LogNode.Hosting;

/// <summary>Assembles the log node: the one place where its parts are connected.</summary>
public static class LogNodeHost
{
    /// <summary>Maximum size of the headers of a witness's answer, in KiB.</summary>
    private const int MaxWitnessHeaders = 16;

    /// <summary>Creates the node; the caller starts it.</summary>
    /// <param name="configure">Adds to the host, for example logging.</param>
    /// <param name="metrics">Handles <c>/metrics</c> on private listeners; null serves none.</param>
    /// <exception cref="IOException">Another process has locked these logs.</exception>
    /// <exception cref="InvalidDataException">A log's file is damaged, or belongs to another key.</exception>
    public static WebApplication Create(LogNodeOptions options, Action<WebApplicationBuilder>? configure = null,
        RequestDelegate? metrics = null, TimeProvider? time = null) =>
        Create(options, configure, metrics, time, reached: null);

    /// <param name="reached">Called at each phase of each log's writer; for tests that kill the process there.</param>
    internal static WebApplication Create(LogNodeOptions options, Action<WebApplicationBuilder>? configure, RequestDelegate? metrics,
        TimeProvider? time, Action<WritePhase>? reached)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* no file
            and no variable but the program's own says anything */;
        var (clock, limits) = (time ?? TimeProvider.System, options.ConnectionLimits);
        var (readers, writers) = (new ConnectionGate(limits, clock), new ConnectionGate(limits, clock));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Listen(kestrel, options, readers, writers));
        // handle a call on the thread that reads it: on an idle machine each switch costs as much as a read
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.UnsafePreferInlineScheduling = true);
        configure?.Invoke(builder);
        builder.Services.AddSingleton(services => new Parts(
            options, LimitForeign(services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.LogNode"), clock), clock,
                reached));
        builder.Services.AddHostedService(services => new SequencerService(
            services.GetRequiredService<Parts>().Loops, clock,
            services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.LogNode")));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(4));

        var app = builder.Build();
        var parts = app.Services.GetRequiredService<Parts>();
        readers.TurnedAway += parts.Metrics.TurnedAway;
        writers.TurnedAway += parts.Metrics.TurnedAway;
        app.Run(http => http.Request.Path.Value switch
        {
            "/healthz" when Listener.Of(http).IsPrivate => parts.AnswerHealthAsync(http),
            "/metrics" when Listener.Of(http).IsPrivate && metrics is not null => metrics(http),
            _ when readers.IsRefused(http) => readers.RefuseAsync(http),
            _ when writers.IsRefused(http) => writers.RefuseAsync(http),
            _ when parts.Tiles.TryFind(http, out var file) => parts.Tiles.AnswerAsync(http, file),
            _ => parts.Endpoint.AnswerAsync(http),
        });
        return app;
    }

    /// <summary>Creates a logger that limits messages callers can cause at will to one a minute each.</summary>
    private static LimitedLogger LimitForeign(ILogger logger, TimeProvider time) =>
        new(logger, [nameof(ApiLog.CallFailed), nameof(SequencingLog.WriteFailed), nameof(SequencingLog.ConflictsSeen)], time);

    private static void Listen(KestrelServerOptions kestrel, LogNodeOptions options, ConnectionGate readers, ConnectionGate writers)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.LimitTimes(options.ConnectionLimits);
        kestrel.Limits.MaxRequestBodySize = null; // each call has its own limit, and reports it
        foreach (var address in options.Listen)
        {
            Listener.Add(kestrel, address, isPrivate: false, readers);
        }

        foreach (var address in options.PrivateListen)
        {
            Listener.Add(kestrel, address, isPrivate: true, writers);
        }
    }

    /// <summary>Owns everything with the host's lifetime.</summary>
    private sealed class Parts : IDisposable
    {
        private readonly List<IDisposable> _owned = [];
        private readonly WitnessMetrics _witnessMetrics = new();
        private readonly HttpClient _witnesses; // asks them all

        public Parts(LogNodeOptions options, ILogger logger, TimeProvider time, Action<WritePhase>? reached)
        {
            var (metrics, rate) = (new LogMetrics(), new RequestRate());
            Metrics = metrics;
            _witnesses = new HttpClient(
                options.Network ?? new PeerTransport(HttpProxies.FromEnvironment, time, MaxWitnessHeaders), options.Network is null)
            {
                Timeout = Timeout.InfiniteTimeSpan, // each request has its own limit
            };
            _owned.AddRange([metrics, rate, _witnessMetrics, _witnesses]);
            try
            {
                _owned.Add(DirectoryLock.Take(options.StateDirectory));
                foreach (var log in options.Logs)
                {
                    Open(log, options, metrics, logger, time, reached);
                }
            }
            catch
            {
                Dispose();
                throw;
            }

            metrics.Observe([.. Logs.Values.Select(log => (log.Options.Name, log.Sequencer))]);
            _witnessMetrics.Observe([.. Logs.Values.Where(log => log.Cosigner is not null)
                .Select(log => (log.Options.Name, log.Sequencer, log.Cosigner!))], time);
            Endpoint = new ConnectEndpoint(new Callers([.. options.Logs.SelectMany(log => log.WriteTokens).Distinct()],
                options.ReferenceTokens, time), rate, metrics, time, logger);
            Tiles = new TileEndpoint(Logs.Values, rate, metrics, time, logger);
            new ReadCalls(Logs).Map(Endpoint);
            new LookupCalls(Logs).Map(Endpoint);
            new WriteCalls(Logs).Map(Endpoint);
        }

        public LogMetrics Metrics { get; }

        public Dictionary<string, HostedLog> Logs { get; } = [];

        public ConnectEndpoint Endpoint { get; }

        public TileEndpoint Tiles { get; }

        /// <summary>What runs for the life of the node.</summary>
        public List<SupervisedLoop> Loops { get; } = [];

        /// <summary>Responds 200 while every log can be written and its newest head has its quorum of witnesses; else 503 with what each
        /// log lacks.</summary>
        public Task AnswerHealthAsync(HttpContext http)
        {
            var lacks = Logs.Values.Select(log => log.Lack).OfType<string>().ToList();
            return lacks.Count is 0 ? http.WriteTextAsync(StatusCodes.Status200OK, "ok\n")
                : http.WriteTextAsync(StatusCodes.Status503ServiceUnavailable, string.Concat(lacks.Select(lack => $"{lack}\n")));
        }

        public void Dispose() => _owned.ForEach(part => part.Dispose());

        private void Open(HostedLogOptions log, LogNodeOptions options, LogMetrics metrics, ILogger logger, TimeProvider time,
            Action<WritePhase>? reached)
        {
            var database = LogDatabase.OpenToWrite(LogDatabase.PathOf(options.StateDirectory, log.Name));
            _owned.Insert(0, database);
            var writer = new LogWriter(database, log.Signer, time, reached, log.Origin);
            _owned.Insert(0, writer);
            writer.Begin(isWithheld: log.Witnesses is { IsWithheld: true });
            var sequencer = new Sequencer(writer, new SequencerOptions(log.Name, options.FlushInterval, options.HistoryWindow,
                HasWitnesses: log.Witnesses is not null), metrics, time, logger);
            var cosigner = log.Witnesses is null ? null : new Cosigner(log, sequencer, database,
                [.. log.Witnesses.Asked.Select(witness => new WitnessClient(witness, _witnesses, time))], _witnessMetrics, time, logger);
            var hosted = new HostedLog(log, database, sequencer, cosigner);
            Logs.Add(hosted.LogId, hosted);
            Loops.AddRange(new[] { sequencer.Loop, cosigner?.Loop }.OfType<SupervisedLoop>());
        }
    }
}
