using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Terminal;

/// <summary>Starts a host, and runs it until the process is told to stop.</summary>
internal static class HostRun
{
    /// <summary>Messages on standard error: one line each, systemd's form where its journal listens, or JSON where
    /// <c>TRUSTIXPROXY_LOG_FORMAT</c> says so.</summary>
    public static void LogToConsole(WebApplicationBuilder builder) => LogToConsole(builder.Logging);

    /// <inheritdoc cref="LogToConsole(WebApplicationBuilder)"/>
    public static void LogToConsole(ILoggingBuilder logging)
    {
        var format = StartupMessage.IsJson ? ConsoleFormatterNames.Json : StartupMessage.IsJournal ? ConsoleFormatterNames.Systemd
            : ConsoleFormatterNames.Simple;
        logging.ClearProviders();
        logging.AddConsole(console => (console.FormatterName, console.LogToStandardErrorThreshold) = (format, LogLevel.Trace));
        // AddSimpleConsole would choose that form, whatever was chosen before
        logging.Services.Configure<SimpleConsoleFormatterOptions>(
            console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "));
        logging.Services.Configure<JsonConsoleFormatterOptions>(
            console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Yarp", LogLevel.Error)
            // RunAsync reports a host that does not start, in one line
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None)
            // Kestrel warns that HTTP/2 needs TLS; the log node's listeners do without it
            .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
    }

    /// <summary>Locks a state directory for this process; null, with the fault, when another process uses it.</summary>
    public static IDisposable? Lock(string stateDirectory, out Fault? fault)
    {
        fault = null;
        try
        {
            return DirectoryLock.Take(stateDirectory);
        }
        catch (IOException exception)
        {
            fault = new Fault("stateDirectory", exception.Message["stateDirectory ".Length..]);
            return null;
        }
    }

    /// <summary>Runs a host until it is told to stop; says when it listens, and clearly why it cannot.</summary>
    public static async Task<int> RunAsync(WebApplication app, string what, IEnumerable<string> listen, CancellationToken cancellation)
    {
        await Task.Yield(); // only then does the command line's library know of us, and lets us end well when the process is told to stop
        if (await StartAsync(app, listen, cancellation) is { } fault)
        {
            return ExitCode.Refuse([fault]);
        }

        StartupMessage.Say($"{what} at {string.Join(", ", app.Urls)}");
        SystemdNotify.Ready();
        app.Lifetime.ApplicationStopping.Register(SystemdNotify.Stopping);
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
            return new Fault(string.Join(", ", listen),
                $"cannot bind: {exception.Message.TrimEnd('.')}. Use a free address of this machine.");
        }
    }
}
