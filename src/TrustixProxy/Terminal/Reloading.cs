using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Substituter.Hosting;

namespace TrustixProxy.Terminal;

/// <summary>Reloads the configuration at SIGHUP, and when it or a file that it names changes. Reports a faulty one, and keeps the old
/// one in force.</summary>
/// <param name="config">The configuration's file; null when there is none.</param>
internal sealed class Reloading(WebApplication app, string? config)
    : SupervisedService(TimeProvider.System, app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("TrustixProxy"))
{
    /// <summary>How often files are looked at. What has changed is read once it has stayed the same for as long: it may still be
    /// written.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>As much of a file is looked at.</summary>
    private const int MaxSize = 4 << 20;

    private readonly SemaphoreSlim _hangUp = new(0);
    private PosixSignalRegistration? _signal;
    private string _read = "", _seen = "";

    /// <summary>What was read at the start is what changes are told by. Hears the signal from here on: before anyone is told that the proxy
    /// is ready, as it would end a process that does not.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        _signal = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // else the process would end
            _hangUp.Release();
        });
        _read = _seen = Look();
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _signal?.Dispose();
        base.Dispose();
        _hangUp.Dispose();
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
        [new SupervisedLoop("reloader", config ?? "the environment", TimeSpan.Zero, LookAgainAsync)];

    private async Task LookAgainAsync(CancellationToken stopping)
    {
        var isTold = await _hangUp.WaitAsync(Interval, stopping);
        var now = Look();
        if (isTold || (now != _read && now == _seen))
        {
            _read = now;
            await TryReloadAsync();
        }

        _seen = now;
    }

    /// <summary>A fault of ours costs this reload, and neither the proxy nor the next one.</summary>
    private async Task TryReloadAsync()
    {
        try
        {
            await ReloadAsync();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Console.Error.WriteLine($"the configuration was not reloaded. If it is valid, restart the proxy and report this: {exception}");
        }
    }

    private async Task ReloadAsync()
    {
        var (read, faults) = ConfigurationFile.Read(config, section => ServeConfiguration.Read(section, isCheck: true));
        if (read is { IsKeyMissing: true })
        {
            faults = [new Fault("signingKeyFile",
                $"is '{read.KeyFile}', which no longer exists. Restore it; a new key is created only at startup.")];
        }
        else if (read is not null)
        {
            faults = [
                .. (await SubstituterHost.ReloadAsync(app, read.Options)).Select(refused => new Fault(refused.Key, refused.Reason + "."))];
        }

        foreach (var fault in faults)
        {
            Console.Error.WriteLine(fault);
        }

        if (faults.Count > 0)
        {
            Console.Error.WriteLine(
                $"{faults.Count} {(faults.Count is 1 ? "fault" : "faults")}; the previous configuration stays in force.");
            return;
        }

        foreach (var warning in read!.Warnings())
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        Console.Error.WriteLine($"reloaded: {read.Options.Policy.Rest.Rule} operators must agree, {read.Options.Upstreams.Length} "
            + $"upstreams; clients trust {read.Options.SigningKey.PublicKey}");
    }

    /// <summary>What stands in all files, as one text.</summary>
    private string Look() => string.Join(' ', ConfigurationFile.FilesOf(config).Select(HashOf));

    private static string HashOf(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var buffer = new byte[Math.Min(MaxSize, Math.Max(4096, file.Length))];
            return Convert.ToHexString(
                SHA256.HashData(buffer.AsSpan(0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false))));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return exception.GetType().Name;
        }
    }
}
