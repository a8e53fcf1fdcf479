using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Keeps what was counted over restarts: reads it once, writes what changed at most once a minute, and at the end.</summary>
/// <param name="name">Names the loop in messages.</param>
internal abstract class HistoryService(string name, CurrentParts parts, TimeProvider time, ILogger logger) : SupervisedService(time, logger)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2), Interval = TimeSpan.FromMinutes(1);

    private bool _isOpen;
    private long? _writtenAt;

    /// <summary>The parts that count now; a reload replaces them.</summary>
    protected ProxyParts Current => parts.Value;

    /// <summary>Writes the last changes.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        Write();
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop(name, Current.Options.StateDirectory, Look, _ =>
        {
            if (!_isOpen)
            {
                Open();
                _isOpen = true;
            }

            if (_writtenAt is not { } at || Time.GetElapsedTime(at) >= Interval)
            {
                Write();
            }

            return Task.CompletedTask;
        }),
    ];

    /// <summary>Opens the store, and restores what it has.</summary>
    protected abstract void Open();

    /// <summary>Writes what changed since the last time; false when nothing did.</summary>
    protected abstract bool TryWrite();

    private void Write()
    {
        if (_isOpen && TryWrite())
        {
            _writtenAt = Time.GetTimestamp();
        }
    }
}
