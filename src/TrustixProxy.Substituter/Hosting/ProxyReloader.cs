using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>The configuration that is in force, and how another one takes its place while requests come: a new generation is made whole,
/// one reference is set, and the old one answers what is under way to the end.</summary>
/// <param name="create">Makes a generation; the second is the one whose place it is to take.</param>
/// <param name="options">The first configuration.</param>
/// <param name="logger">Where it is told what happens.</param>
internal sealed class ProxyReloader(
    Func<SubstituterOptions, ConfiguredProxy?, ConfiguredProxy> create, SubstituterOptions options, ILogger logger)
    : IHostedService, IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _end = new();
    private volatile ConfiguredProxy _current = create(options, null);
    private Task _draining = Task.CompletedTask;

    /// <summary>The one that answers what comes now.</summary>
    public ConfiguredProxy Current => _current;

    public Task StartAsync(CancellationToken cancellationToken) => _current.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => _current.StopAsync(cancellationToken);

    /// <summary>Has a new configuration in force, if it can be.</summary>
    /// <returns>The keys that cannot change while the proxy runs, and why not; none when it is in force.</returns>
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
            return; // the host has it twice: as what it runs, and as what others ask for
        }

        await _end.CancelAsync();
        await _draining;
        await _current.DisposeAsync();
        _end.Dispose();
        _turn.Dispose();
    }

    /// <summary>What is bound to the sockets, or to what exists once.</summary>
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

    /// <summary>Lets an old generation end, after those that are older: it may hold what they use.</summary>
    private async Task EndAsync(ConfiguredProxy old, Task older)
    {
        try
        {
            await older;
            await old.DrainAsync(_end.Token);
        }
        catch (OperationCanceledException)
        {
            // The host stops.
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
