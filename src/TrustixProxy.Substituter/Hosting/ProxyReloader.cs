using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Holds the active configuration and swaps it without dropping requests: builds the new one, sets one reference, and lets the old
/// one finish its requests.</summary>
internal sealed class ProxyReloader : IHostedService, IAsyncDisposable
{
    private readonly ConnectionGate _gate;
    private readonly IHttpForwarder _forwarder;
    private readonly DecisionJournal _journal;
    private readonly ILoggerFactory _loggers;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _end = new();
    private volatile ConfiguredProxy _current;
    private Task _draining = Task.CompletedTask;

    /// <param name="options">The first configuration.</param>
    /// <param name="gate">Gets the limits of each configuration.</param>
    /// <param name="journal">Keeps the last decisions for the dashboard.</param>
    public ProxyReloader(SubstituterOptions options, ConnectionGate gate, IHttpForwarder forwarder, DecisionJournal journal,
        ILoggerFactory loggers, TimeProvider time)
    {
        (_gate, _forwarder, _journal, _loggers, _time) = (gate, forwarder, journal, loggers, time);
        _logger = loggers.CreateLogger("TrustixProxy");
        _current = new ConfiguredProxy(options, forwarder, journal, loggers, time);
        Parts = new CurrentParts(_current.Parts);
    }

    /// <summary>The parts of the active configuration.</summary>
    public CurrentParts Parts { get; }

    /// <summary>The one that answers new requests.</summary>
    public ConfiguredProxy Current => _current;

    public Task StartAsync(CancellationToken cancellationToken) => _current.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => _current.StopAsync(cancellationToken);

    /// <summary>Activates a new configuration, if possible.</summary>
    /// <returns>Keys that cannot change at run time, with reasons; empty on success.</returns>
    public async Task<IReadOnlyList<(string Key, string Reason)>> ReloadAsync(SubstituterOptions next)
    {
        await _turn.WaitAsync(_end.Token);
        try
        {
            if (Fixed(_current.Options, next).ToList() is { Count: > 0 } refused)
            {
                return refused;
            }

            var before = _current;
            var proxy = new ConfiguredProxy(next, _forwarder, _journal, _loggers, _time, before);
            await before.RetireAsync(_end.Token);
            before.Parts.HandOver(proxy.Parts);
            (_current, Parts.Value, _gate.Limits) = (proxy, proxy.Parts, proxy.Connections);
            await proxy.StartAsync(_end.Token);
            _draining = EndAsync(before, _draining);
            return [];
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            return [("stateDirectory", $"cannot be used: {exception.Message.TrimEnd('.')}")];
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_end.IsCancellationRequested)
        {
            return; // registered twice: as hosted service and for injection
        }

        await _end.CancelAsync();
        await _draining;
        await _current.DisposeAsync();
        _end.Dispose();
        _turn.Dispose();
    }

    /// <summary>Lists keys bound to sockets or singletons.</summary>
    private static IEnumerable<(string Key, string Reason)> Fixed(SubstituterOptions now, SubstituterOptions next)
    {
        const string reason = "cannot change while the proxy runs: restart it, or restore the old value";
        (string Key, bool IsSame)[] settings =
        [
            ("listen", now.FrontDoor.Listen.SequenceEqual(next.FrontDoor.Listen)),
            ("tls", now.FrontDoor.Certificate is null == next.FrontDoor.Certificate is null),
            ("limits.leastBytesPerSecond", now.FrontDoor.LeastBytesPerSecond == next.FrontDoor.LeastBytesPerSecond),
            ("operations.listen", now.OperationsListen.SequenceEqual(next.OperationsListen)),
            ("narStore", (now.NarStore?.Directory, now.NarStore?.MaxSize) == (next.NarStore?.Directory, next.NarStore?.MaxSize)
                && (now.NarStore?.Pinned ?? []).SequenceEqual(next.NarStore?.Pinned ?? [])
                && now.NarStore?.Shared?.Base == next.NarStore?.Shared?.Base),
            ("store", now.Policy.Store == next.Policy.Store),
            ("stateDirectory", now.StateDirectory == next.StateDirectory),
        ];
        return settings.Where(setting => !setting.IsSame).Select(setting => (setting.Key, reason));
    }

    /// <summary>Disposes an old configuration after its predecessors, which may use its resources.</summary>
    private async Task EndAsync(ConfiguredProxy old, Task older)
    {
        try
        {
            await older;
            await old.DrainAsync(_end.Token);
        }
        catch (OperationCanceledException)
        {
            // The host is stopping.
        }

        try
        {
            await old.DisposeAsync();
            _logger.ReplacedProxyEnded();
        }
        catch (Exception exception)
        {
            _logger.ReplacedProxyFailed(exception);
        }
    }
}
