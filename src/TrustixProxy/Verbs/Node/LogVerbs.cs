using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Node;

/// <summary><c>trustix-proxy log …</c>: the log node, and giving it what was built.</summary>
internal static class LogVerbs
{
    public static Command Create()
    {
        var command = new Command("log", "Runs a build-transparency log, or submits to one.") { Serve(), LogSubmitVerbs.Submit(),
            LogSubmitVerbs.SubmitClosure(), LogTokenVerb.Create() };
        foreach (var verb in LogFileVerbs.Create())
        {
            command.Add(verb);
        }

        return command;
    }

    private static Command Serve()
    {
        var command = new Command("serve", "Runs the log node.") { SharedOptions.Config };
        command.SetAction((parsed, cancellation) => ServeAsync(parsed.GetValue(SharedOptions.Config), cancellation));
        return command;
    }

    private static async Task<int> ServeAsync(string? config, CancellationToken cancellation)
    {
        // Read by the runtime when the first socket is used: a short call is answered on the thread that has read it. To wake another takes
        // as long as such a call.
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        // so that one call that waits for the disk does not hold up all others
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT", "4");
        var (options, faults) = ConfigurationFile.Read(config, section => LogServeConfiguration.Read(section, isCheck: false));
        if (options is null)
        {
            return ExitCode.Refuse(ConfigurationFile.OfOtherVerb(config, "log serve") is { Count: > 0 } other ? other : faults);
        }

        try
        {
            using var metrics = new PrometheusText("TrustixProxy.LogNode");
            await using var app = LogNodeHost.Create(options, HostRun.LogToConsole, metrics.AnswerAsync);
            foreach (var log in options.Logs)
            {
                foreach (var warning in CosigningConfiguration.Warnings(log))
                {
                    StartupMessage.Warn(warning);
                }

                StartupMessage.Say($"log {log.Name}: publicKey {log.Signer.Key}, id {log.Signer.Key.LogId}");
            }

            foreach (var line in WitnessMail.Lines(options))
            {
                StartupMessage.Say(line);
            }

            return await HostRun.RunAsync(app, "serving logs", [.. options.Listen, .. options.PrivateListen], cancellation);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            StartupMessage.Fail(exception.Message);
            return ExitCode.Usage;
        }
    }
}
