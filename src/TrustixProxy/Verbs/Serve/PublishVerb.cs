using System.CommandLine;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TrustixProxy.Configuration;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Serve;

/// <summary><c>trustix-proxy publish</c>: gives a log what the post-build hook has left in the spool.</summary>
internal static class PublishVerb
{
    public static Command Create()
    {
        var once = new Option<bool>("--once")
        {
            Description =
            "Exit once the spool is empty (0), the log refuses (1), or the log, Nix or Guix cannot be reached (3)."
        };
        var command = new Command("publish",
            "Publishes the jobs that the post-build hook queues in the spool, until stopped.") { SharedOptions.Config, once };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(SharedOptions.Config), parsed.GetValue(once), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? config, bool isOnce, CancellationToken cancellation)
    {
        var (options, faults) = ConfigurationFile.Read(config, section => PublishConfiguration.Read(section, isCheck: false));
        if (options is null)
        {
            return ExitCode.Refuse(ConfigurationFile.OfOtherVerb(config, "publish") is { Count: > 0 } other ? other : faults);
        }

        using var loggers = LoggerFactory.Create(HostRun.LogToConsole);
        try
        {
            using var publisher = new SpoolPublisher(options, loggers.CreateLogger("TrustixProxy.LogNode"));
            return isOnce ? Tell(await publisher.OnceAsync(cancellation)) : await RunAsync(publisher, options, cancellation);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            StartupMessage.Fail(exception.Message);
            return ExitCode.Usage;
        }
        catch (OperationCanceledException) when (isOnce)
        {
            Console.Error.WriteLine("stopping; jobs that the log has not acknowledged stay in the spool");
            return ExitCode.Unknown;
        }
    }

    private static async Task<int> RunAsync(SpoolPublisher publisher, PublisherOptions options, CancellationToken cancellation)
    {
        await Task.Yield(); // as in serve
        using var metrics = new PrometheusText(SpoolMetrics.MeterName);
        await using var page = options.Listen.IsEmpty ? null
            : PublisherHost.Create(publisher, options.Listen, HostRun.LogToConsole, metrics.AnswerAsync);
        if (page is not null && await HostRun.StartAsync(page, options.Listen, cancellation) is { } fault)
        {
            return ExitCode.Refuse([fault]);
        }

        StartupMessage.Say($"publishing from {options.SpoolDirectory} to "
            + $"{options.Url}{(page is null ? "" : $"; metrics at {string.Join(", ", page.Urls)}")}");
        SystemdNotify.Ready();
        try
        {
            await publisher.RunAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            SystemdNotify.Stopping();
        }

        return ExitCode.Good;
    }

    private static int Tell(PublishPass pass)
    {
        Console.WriteLine($"published {Count(pass.Paths, "path")}, {pass.Excluded} excluded; {Count(pass.Lost, "job")} given up, "
            + $"{pass.Rejected} rejected, {pass.Waiting} left in the spool");
        if (pass.NotBuiltHere > 0)
        {
            Console.WriteLine($"left out {Count(pass.NotBuiltHere, "path")} not built on this machine");
        }

        if (pass.Contradicted > 0)
        {
            Console.WriteLine($"the log holds a different value for {Count(pass.Contradicted, "path")}");
        }

        return pass.Fault switch
        {
            PublishFault.None => ExitCode.Good,
            PublishFault.Refused => ExitCode.No,
            PublishFault.Busy or PublishFault.Unreachable or PublishFault.NoNix or PublishFault.NoGuix or PublishFault.Spool =>
                ExitCode.Unknown,
            _ => throw new UnreachableException(),
        };
    }

    private static string Count(int number, string what) => $"{number} {what}{(number is 1 ? "" : "s")}";
}
