using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using TrustixProxy.Configuration;
using TrustixProxy.Operations;
using TrustixProxy.Substituter.Operations;

namespace TrustixProxy.Verbs;

/// <summary><c>trustix-proxy serve</c>: the proxy.</summary>
internal static class ServeVerb
{
    public static Option<string?> ConfigOption { get; } = new("--config", "-c") { Description = "The JSON file with the configuration. Environment variables TRUSTIXPROXY__KEY override it.", HelpName = "FILE" };

    public static Command Create()
    {
        var command = new Command("serve", "Runs the proxy: a binary cache that serves only what the electorate agrees on.") { ConfigOption };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(ConfigOption), cancellation));
        return command;
    }

    /// <summary>Messages on standard error: one line each, systemd's form where its journal listens, or JSON where <c>TRUSTIXPROXY_LOG_FORMAT</c> says so.</summary>
    public static void LogToConsole(WebApplicationBuilder builder) => LogToConsole(builder.Logging);

    /// <inheritdoc cref="LogToConsole(WebApplicationBuilder)"/>
    public static void LogToConsole(ILoggingBuilder logging)
    {
        var format = Notice.IsJson ? ConsoleFormatterNames.Json : Notice.IsJournal ? ConsoleFormatterNames.Systemd : ConsoleFormatterNames.Simple;
        logging.ClearProviders();
        logging.AddConsole(console => (console.FormatterName, console.LogToStandardErrorThreshold) = (format, LogLevel.Trace));
        logging.Services.Configure<SimpleConsoleFormatterOptions>(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss ")); // AddSimpleConsole would choose that form, whatever was chosen before
        logging.Services.Configure<JsonConsoleFormatterOptions>(console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Yarp", LogLevel.Error)
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None) // a host that does not start is told of by RunAsync, in one line
            .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error); // it warns that HTTP/2 needs TLS, which the log node's listeners do without
    }

    /// <summary>Runs a host until it is told to stop; says when it listens, and clearly why it cannot.</summary>
    public static async Task<int> RunAsync(WebApplication app, string what, IEnumerable<string> listen, CancellationToken cancellation)
    {
        await Task.Yield(); // only then does the command line's library know of us, and lets us end well when the process is told to stop
        if (await StartAsync(app, listen, cancellation) is { } fault)
        {
            return ExitCode.Refuse([fault]);
        }

        Notice.Say($"{what} at {string.Join(", ", app.Urls)}");
        Readiness.Ready();
        app.Lifetime.ApplicationStopping.Register(Readiness.Stopping);
        await app.WaitForShutdownAsync(cancellation);
        return ExitCode.Good;
    }

    /// <summary>Starts a host; says why it cannot listen, or null.</summary>
    public static async Task<Fault?> StartAsync(WebApplication app, IEnumerable<string> listen, CancellationToken cancellation)
    {
        try
        {
            await app.StartAsync(cancellation);
            return null;
        }
        catch (Exception exception) when (exception is IOException or System.Net.Sockets.SocketException)
        {
            return new Fault(string.Join(", ", listen), $"cannot be listened at: {exception.Message.TrimEnd('.')}. Name an address of this machine that nothing else uses.");
        }
    }

    private static async Task<int> RunAsync(string? config, CancellationToken cancellation)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => ServeConfiguration.Read(section, isCheck: false));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        foreach (var warning in read.Warnings())
        {
            Notice.Warn(warning);
        }

        if (read.IsKeyMissing)
        {
            try
            {
                KeyFile.Write(read.KeyFile, read.Options.SigningKey);
                Notice.Say($"made a signing key: {read.KeyFile}");
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return ExitCode.Refuse([new Fault("signingKeyFile", $"is '{read.KeyFile}', which cannot be made: {exception.Message}")]);
            }
        }

        Notice.Say($"state: {read.Options.StateDirectory}");
        Notice.Say($"clients trust: trusted-public-keys = {read.Options.SigningKey.PublicKey}");
        using var otlp = read.Otlp is { } collector ? new OtlpExport(collector, "TrustixProxy.Substituter") : null;
        return await ServeAsync(read.Options, config, cancellation);
    }

    private static async Task<int> ServeAsync(SubstituterOptions options, string? config, CancellationToken cancellation)
    {
        // Read by the runtime when the first socket is used; see PooledConnection for what follows from it.
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        using var metrics = new PrometheusText("TrustixProxy.Substituter");
        WebApplication app;
        try
        {
            app = SubstituterHost.Create(options, LogToConsole, metrics: metrics.AnswerAsync);
        }
        catch (SqliteException exception)
        {
            return ExitCode.Refuse([new Fault("stateDirectory", $"is '{options.StateDirectory}', whose state.sqlite cannot be used: {exception.Message.TrimEnd('.')}. If the file is damaged, move it away: decisions are made anew, but what logs are held to begins anew too.")]);
        }

        await using var owned = app;
        using var reloading = new Reloading(app, config);
        app.Lifetime.ApplicationStarted.Register(() => _ = reloading.StartAsync(CancellationToken.None));
        app.Lifetime.ApplicationStopping.Register(() => _ = reloading.StopAsync(CancellationToken.None));
        return await RunAsync(app, "serving", [.. options.FrontDoor.Listen, .. options.OperationsListen], cancellation);
    }
}
