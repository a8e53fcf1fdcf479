using System.CommandLine;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.Configuration;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt serve</c>: the gate.</summary>
internal static class AptServeVerb
{
    public static Command Create()
    {
        var command = new Command("serve", "Runs the gate: an archive for apt that serves only packages the rebuilders vouch for.")
        {
            SharedOptions.Config,
        };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(SharedOptions.Config), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? config, CancellationToken cancellation)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => AptConfiguration.Read(section, isCheck: false));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        foreach (var warning in read.Warnings())
        {
            StartupMessage.Warn(warning);
        }

        if (read.IsKeyMissing)
        {
            try
            {
                KeyFile.Write(read.KeyFile, read.Options.SigningKey);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return ExitCode.Refuse([new Fault("signingKeyFile", $"is '{read.KeyFile}', which cannot be created: {exception.Message}")]);
            }
        }

        StartupMessage.Say($"state: {read.Options.StateDirectory}");
        foreach (var archive in read.Options.Archives)
        {
            StartupMessage.Say($"apt takes {archive.Url} from http://HOST:PORT/{archive.Name}");
        }

        using var log = read.Log is null ? null : new ReleaseLog(read.Log, read.Options.Archives);
        return await ServeAsync(log is null ? read.Options : read.Options with { Submit = log.SubmitAsync }, cancellation);
    }

    private static async Task<int> ServeAsync(AptGateOptions options, CancellationToken cancellation)
    {
        using var locked = HostRun.Lock(options.StateDirectory, out var fault);
        if (fault is not null)
        {
            return ExitCode.Refuse([fault]);
        }

        using var metrics = new PrometheusText("TrustixProxy.Substituter");
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // else the process would end
            StartupMessage.Warn("SIGHUP: a changed configuration takes a restart; what was decided and read is kept.");
        });
        WebApplication app;
        try
        {
            app = AptGateHost.Create(options, HostRun.LogToConsole, metrics: metrics.AnswerAsync);
        }
        catch (SqliteException exception)
        {
            return ExitCode.Refuse([new Fault("stateDirectory", $"is '{options.StateDirectory}', whose databases cannot be used: "
                + $"{exception.Message.TrimEnd('.')}. Move them away if they are damaged: packages are decided on again.")]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ExitCode.Refuse([new Fault("store.directory", $"is '{options.Store.Directory}', which cannot be used: "
                + $"{exception.Message} Choose a directory this user can write to.")]);
        }

        await using var owned = app;
        return await HostRun.RunAsync(app, "serving packages", [.. options.Listen, .. options.OperationsListen], cancellation);
    }
}
