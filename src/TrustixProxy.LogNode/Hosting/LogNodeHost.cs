using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.IO.Connections;
using TrustixProxy.IO.Storage;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Hosting;

/// <summary>Puts the log node together: the one place where its parts meet.</summary>
public static class LogNodeHost
{
    /// <summary>Makes the node; starting it is the caller's.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="configure">What the caller adds to the host: logging, say.</param>
    /// <param name="metrics">Answers <c>/metrics</c> on private listeners; nothing does when null.</param>
    /// <exception cref="IOException">Another process keeps these logs.</exception>
    /// <exception cref="InvalidDataException">A log's file is damaged, or another key's.</exception>
    public static WebApplication Create(LogNodeOptions options, Action<WebApplicationBuilder>? configure = null,
        RequestDelegate? metrics = null, TimeProvider? time = null) =>
        Create(options, configure, metrics, time, reached: null);

    /// <param name="options">As above.</param>
    /// <param name="configure">As above.</param>
    /// <param name="metrics">As above.</param>
    /// <param name="time">As above.</param>
    /// <param name="reached">Told of each phase of each log's writer; for tests that kill the process there.</param>
    internal static WebApplication Create(LogNodeOptions options, Action<WebApplicationBuilder>? configure, RequestDelegate? metrics,
        TimeProvider? time, Action<WritePhase>? reached)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions()) /* no file
            and no variable but the program's own says anything */;
        var (clock, limits) = (time ?? TimeProvider.System, options.ConnectionLimits);
        Parts? parts = null;
        void TurnAway() => parts!.Metrics.TurnedAway();
        var (readers, writers) = (new ConnectionGate(() => limits, clock, TurnAway), new ConnectionGate(() => limits, clock, TurnAway));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Listen(kestrel, options, readers, writers));
        // a call is answered on the thread that reads it: on an idle machine each hand-over costs what a read costs
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.UnsafePreferInlineScheduling = true);
        configure?.Invoke(builder);
        builder.Services.AddSingleton(services => new Parts(
            options, LimitForeign(services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.LogNode"), clock), clock,
                reached));
        builder.Services.AddHostedService(services => new SequencerService(
            [.. services.GetRequiredService<Parts>().Logs.Values.Select(log => log.Sequencer)], clock,
            services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.LogNode")));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(4));

        var app = builder.Build();
        parts = app.Services.GetRequiredService<Parts>();
        app.Run(http => http.Request.Path.Value switch
        {
            "/healthz" when Listener.Of(http).IsPrivate => parts.AnswerHealthAsync(http),
            "/metrics" when Listener.Of(http).IsPrivate && metrics is not null => metrics(http),
            _ when readers.IsRefused(http) => readers.RefuseAsync(http),
            _ when writers.IsRefused(http) => writers.RefuseAsync(http),
            _ => parts.Endpoint.AnswerAsync(http),
        });
        return app;
    }

    /// <summary>A logger that writes messages which callers can cause as often as they like at most once a minute each.</summary>
    private static LimitedLogger LimitForeign(ILogger logger, TimeProvider time) =>
        new(logger, [nameof(ApiLog.CallFailed), nameof(SequencingLog.WriteFailed), nameof(SequencingLog.ConflictsSeen)], time);

    private static void Listen(KestrelServerOptions kestrel, LogNodeOptions options, ConnectionGate readers, ConnectionGate writers)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.LimitTimes(options.ConnectionLimits);
        kestrel.Limits.MaxRequestBodySize = null; // each call has a bound of its own, and says so when it is passed
        foreach (var address in options.Listen)
        {
            Listener.Add(kestrel, address, isPrivate: false, readers);
        }

        foreach (var address in options.PrivateListen)
        {
            Listener.Add(kestrel, address, isPrivate: true, writers);
        }
    }

    /// <summary>Everything that lives as long as the host, disposed with it.</summary>
    private sealed class Parts : IDisposable
    {
        private readonly List<IDisposable> _owned = [];

        public Parts(LogNodeOptions options, ILogger logger, TimeProvider time, Action<WritePhase>? reached)
        {
            var (metrics, rate) = (new LogMetrics(), new RequestRate());
            Metrics = metrics;
            _owned.AddRange([metrics, rate]);
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
            Endpoint = new ConnectEndpoint(new Callers([.. options.Logs.SelectMany(log => log.WriteTokens).Distinct()],
                options.ReferenceTokens, time), rate, metrics, time, logger);
            new ReadCalls(Logs).Map(Endpoint);
            new LookupCalls(Logs).Map(Endpoint);
            new WriteCalls(Logs).Map(Endpoint);
        }

        public LogMetrics Metrics { get; }

        public Dictionary<string, HostedLog> Logs { get; } = [];

        public ConnectEndpoint Endpoint { get; }

        /// <summary>200 while every log can be written to, else 503 and which can't.</summary>
        public Task AnswerHealthAsync(HttpContext http)
        {
            var failed = Logs.Values.Where(log => log.Sequencer.HasFailed).Select(log => log.Options.Name).ToList();
            http.Response.StatusCode = failed.Count is 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            http.Response.ContentType = "text/plain; charset=utf-8";
            return http.Response.WriteAsync(
                failed.Count is 0 ? "ok\n" : $"the last write failed: {string.Join(", ", failed)}\n", http.RequestAborted);
        }

        public void Dispose() => _owned.ForEach(part => part.Dispose());

        private void Open(HostedLogOptions log, LogNodeOptions options, LogMetrics metrics, ILogger logger, TimeProvider time,
            Action<WritePhase>? reached)
        {
            var database = LogDatabase.OpenToWrite(LogDatabase.PathOf(options.StateDirectory, log.Name));
            _owned.Insert(0, database);
            var writer = new LogWriter(database, log.Signer, time, reached);
            _owned.Insert(0, writer);
            writer.Begin();
            var hosted = new HostedLog(
                log, database, new Sequencer(log.Name, writer, metrics, options.FlushInterval, options.HistoryWindow, time, logger));
            Logs.Add(hosted.LogId, hosted);
        }
    }
}
