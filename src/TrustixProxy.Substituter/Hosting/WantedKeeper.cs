using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Keeps the work list over restarts: one snapshot a minute at most while it changes, and one at the end.</summary>
internal sealed class WantedKeeper(CurrentParts parts, TimeProvider time, ILogger logger) : SupervisedService(time, logger)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2), Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _turn = new();
    private long _written;
    private long? _writtenAt;
    private bool _isOver;

    /// <summary>Reads the last snapshot before the proxy reports readiness.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        var rows = parts.Value.WantedSnapshot.Read(out var fault);
        if (fault is not null)
        {
            Logger.SnapshotRefused(PathOfSnapshot, fault);
        }

        parts.Value.Wanted.Restore(rows);
        return base.StartAsync(cancellationToken);
    }

    /// <summary>Writes the last changes, unless the disk hangs.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await Task.Run(Write, CancellationToken.None).WaitAsync(StopTime, Time, cancellationToken);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or TimeoutException or OperationCanceledException)
        {
            Logger.SnapshotNotWritten(PathOfSnapshot, exception.Message);
        }
    }

    /// <summary>Nothing is written after this, unless the disk hangs.</summary>
    public override void Dispose()
    {
        base.Dispose();
        if (_turn.TryEnter(StopTime))
        {
            _isOver = true;
            _turn.Exit();
        }
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("work list", PathOfSnapshot, Look, _ =>
        {
            if (_writtenAt is not { } at || Time.GetElapsedTime(at) >= Interval)
            {
                Write();
            }

            return Task.CompletedTask;
        }),
    ];

    private string PathOfSnapshot => Path.Combine(parts.Value.Options.StateDirectory, WantedSnapshot.FileName);

    private void Write()
    {
        var current = parts.Value;
        lock (_turn)
        {
            current.Wanted.Prune(current.WantedNames);
            var version = current.Wanted.Version;
            if (version != _written && !_isOver)
            {
                current.WantedSnapshot.Write(current.Wanted.Rows);
                (_written, _writtenAt) = (version, Time.GetTimestamp());
            }
        }
    }
}
