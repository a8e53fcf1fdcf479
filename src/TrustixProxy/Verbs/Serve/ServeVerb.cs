using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Serve;

/// <summary><c>trustix-proxy serve</c>: the proxy.</summary>
internal static class ServeVerb
{
    public static Command Create()
    {
        var command = new Command(
            "serve", "Runs the proxy: a binary cache that serves only paths the electorate agrees on.") { SharedOptions.Config };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(SharedOptions.Config), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? config, CancellationToken cancellation)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => ServeConfiguration.Read(section, isCheck: false));
        if (read is null)
        {
            return ExitCode.Refuse(ConfigurationFile.OfOtherVerb(config, "serve") is { Count: > 0 } other ? other : faults);
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
                StartupMessage.Say($"created a signing key: {read.KeyFile}");
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return ExitCode.Refuse([new Fault("signingKeyFile", $"is '{read.KeyFile}', which cannot be created: {exception.Message}")]);
            }
        }

        StartupMessage.Say($"state: {read.Options.StateDirectory}");
        StartupMessage.Say(read.Options.Policy.Store == Store.Guix
            ? $"clients authorize (guix archive --authorize): {GuixSecretKey.Of(read.Options.SigningKey).PublicKey}"
            : $"clients trust: trusted-public-keys = {read.Options.SigningKey.PublicKey}");
        using var otlp = read.Otlp is { } collector ? new OtlpExport(collector, "TrustixProxy.Substituter") : null;
        return await ServeAsync(read.Options, config, cancellation);
    }

    private static async Task<int> ServeAsync(SubstituterOptions options, string? config, CancellationToken cancellation)
    {
        // Read by the runtime when the first socket is used; see PooledConnection for what follows from it.
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        using var metrics = new PrometheusText("TrustixProxy.Substituter");
        using var locked = HostRun.Lock(options.StateDirectory, out var fault);
        if (fault is not null)
        {
            return ExitCode.Refuse([fault]);
        }

        WebApplication app;
        try
        {
            app = SubstituterHost.Create(options, HostRun.LogToConsole, metrics: metrics.AnswerAsync);
        }
        catch (SqliteException exception)
        {
            return ExitCode.Refuse([new Fault("stateDirectory", $"is '{options.StateDirectory}', whose state.sqlite cannot be "
                + $"used: {exception.Message.TrimEnd('.')}. If the file is damaged, move it away: decisions are made again, but "
                + $"the verified views of logs are lost.")]);
        }

        await using var owned = app;
        using var reloading = new Reloading(app, config);
        app.Lifetime.ApplicationStarted.Register(() => _ = reloading.StartAsync(CancellationToken.None));
        app.Lifetime.ApplicationStopping.Register(() => _ = reloading.StopAsync(CancellationToken.None));
        return await HostRun.RunAsync(app, "serving", [.. options.FrontDoor.Listen, .. options.OperationsListen], cancellation);
    }
}
