using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Operations;

/// <summary>Puts the log node together: the one place where its parts meet.</summary>
public static class LogNodeHost
{
    /// <summary>Makes the node; starting it is the caller's.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="configure">What the caller adds to the host: logging, say.</param>
    /// <param name="time">The clock; the system's when null.</param>
    /// <exception cref="IOException">Another process keeps these logs.</exception>
    public static WebApplication Create(LogNodeOptions options, Action<WebApplicationBuilder>? configure = null, TimeProvider? time = null)
    {
        var clock = time ?? TimeProvider.System;
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = ConnectEndpoint.MaxRequest;
            foreach (var address in options.Listen)
            {
                Listener.Add(kestrel, address, isPrivate: false);
            }

            foreach (var address in options.PrivateListen)
            {
                Listener.Add(kestrel, address, isPrivate: true);
            }
        });
        configure?.Invoke(builder);
        builder.Services.AddSingleton(services => new Parts(options, services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy.LogNode"), clock));
        builder.Services.AddHostedService(services => new SequencerService([.. services.GetRequiredService<Parts>().Logs.Values.Select(log => log.Sequencer)]));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));

        var app = builder.Build();
        app.Run(app.Services.GetRequiredService<Parts>().Endpoint.AnswerAsync);
        return app;
    }

    /// <summary>Everything that lives as long as the host, disposed with it.</summary>
    private sealed class Parts : IDisposable
    {
        private readonly List<IDisposable> _owned = [];

        public Parts(LogNodeOptions options, ILogger logger, TimeProvider time)
        {
            _owned.Add(DirectoryLock.Take(options.StateDirectory));
            foreach (var log in options.Logs)
            {
                var database = new LogDatabase(Path.Combine(options.StateDirectory, $"{log.Name}.sqlite"));
                var writer = new LogWriter(database, log.Signer, time);
                _owned.InsertRange(0, [writer, database]);
                var hosted = new HostedLog(log, database, new Sequencer(log.Name, writer, options.FlushInterval, options.HistoryWindow, time, logger));
                Logs.Add(hosted.LogId, hosted);
            }

            Endpoint = new ConnectEndpoint(logger);
            new ReadCalls(Logs).Map(Endpoint);
            new WriteCalls(Logs, new WriteTokens(options.ReferenceTokens)).Map(Endpoint);
        }

        public Dictionary<string, HostedLog> Logs { get; } = [];

        public ConnectEndpoint Endpoint { get; }

        public void Dispose() => _owned.ForEach(part => part.Dispose());
    }
}
