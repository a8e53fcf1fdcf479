using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Holds the active configuration and swaps it without dropping requests: builds the new one, sets one reference, and lets the old
/// one finish its requests.</summary>
/// <param name="create">Creates a configured proxy; the second argument is its predecessor.</param>
/// <param name="options">The first configuration.</param>
internal sealed class ProxyReloader(
    Func<SubstituterOptions, ConfiguredProxy?, ConfiguredProxy> create, SubstituterOptions options, ILogger logger)
    : IHostedService, IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _end = new();
    private volatile ConfiguredProxy _current = create(options, null);
    private Task _draining = Task.CompletedTask;

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
            var generation = create(next, before);
            await before.RetireAsync(_end.Token);
            before.Parts.HandOver(generation.Parts);
            _current = generation;
            await generation.StartAsync(_end.Token);
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
                && (now.NarStore?.Pinned ?? []).SequenceEqual(next.NarStore?.Pinned ?? [])),
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
            logger.GenerationEnded();
        }
        catch (Exception exception)
        {
            logger.GenerationFailed(exception);
        }
    }
}
