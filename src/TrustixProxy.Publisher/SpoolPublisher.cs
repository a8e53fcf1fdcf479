using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Publisher;

/// <summary>Publishes to a log the jobs that post-build hooks leave in the spool.</summary>
/// <remarks>It can be stopped at any time: unacknowledged jobs stay in the spool and are submitted again.</remarks>
public sealed class SpoolPublisher : IDisposable
{
    /// <summary>Maximum number of attempts of <see cref="OnceAsync"/> to reach the log.</summary>
    private const int MaxTries = 3;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    private readonly PublisherOptions _options;
    private readonly Spool _spool;
    private readonly LogSubmitter _submitter;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly SpoolMetrics _metrics;
    private readonly GuixBuilds? _guix;
    private PublishPass? _last;

    /// <summary>Locks the spool.</summary>
    /// <exception cref="IOException">The spool cannot be created, or another publisher has locked it.</exception>
    /// <exception cref="UnauthorizedAccessException">The spool is not writable.</exception>
    public SpoolPublisher(PublisherOptions options, ILogger logger, TimeProvider? time = null)
    {
        (_options, _logger, _time) = (options, logger, time ?? TimeProvider.System);
        _spool = Spool.Open(options.SpoolDirectory);
        _submitter = new LogSubmitter(options.Url, options.Token);
        _metrics = new SpoolMetrics(_spool, _time);
        _guix = options.Guix is { } store ? new GuixBuilds(store, options.SpoolDirectory, logger) : null;
    }

    /// <summary>The result of the last pass; null before the first has ended.</summary>
    public PublishPass? Last => Volatile.Read(ref _last);

    /// <summary>Publishes all waiting jobs. Waits for missing descriptions, and tries an unreachable log three times.</summary>
    public async Task<PublishPass> OnceAsync(CancellationToken cancellation)
    {
        var (start, tries) = (_time.GetTimestamp(), 1);
        var pass = await PassAsync(cancellation);
        while (pass.Waiting > 0)
        {
            var isNew = pass.Fault is PublishFault.None && _time.GetElapsedTime(start) < _options.DescriptionWait + Poll;
            if (!isNew && !(pass.Fault is PublishFault.Unreachable or PublishFault.Busy && tries++ < MaxTries))
            {
                break;
            }

            await Task.Delay(isNew ? Poll / 5 : Pause(pass.Fault, tries), _time, cancellation);
            pass = pass.Then(await PassAsync(cancellation));
        }

        return pass;
    }

    /// <summary>Publishes until cancelled.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var failures = 0;
        await new SupervisedLoop("publisher", _options.SpoolDirectory, TimeSpan.Zero, async stopping =>
        {
            var pass = await PassAsync(stopping);
            failures = pass.Fault is PublishFault.None ? 0 : failures + 1;
            await Task.Delay(Pause(pass.Fault, failures), _time, stopping);
        }).RunAsync(_time, _logger, cancellation);
        cancellation.ThrowIfCancellationRequested();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _metrics.Dispose();
        _submitter.Dispose();
        _spool.Dispose();
    }

    /// <summary>Returns the pause after a pass. It doubles with each fault, up to a minute; up to five minutes if the log refuses. Half of
    /// it is random, so that many builders do not submit at once.</summary>
    /// <param name="fault">The fault that ended the pass.</param>
    /// <param name="failures">Number of consecutive passes with a fault; at least 1 when this pass had one.</param>
    internal static TimeSpan Pause(PublishFault fault, int failures)
    {
        if (fault is PublishFault.None)
        {
            return Poll;
        }

        var (first, most) = fault is PublishFault.Refused ? (TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(5))
            : (Poll, TimeSpan.FromMinutes(1));
        var pause = Math.Min(most.TotalMilliseconds, first.TotalMilliseconds * Math.Pow(2, Math.Min(failures - 1, 20)));
        return TimeSpan.FromMilliseconds((pause / 2) + (pause / 2 * RandomNumberGenerator.GetInt32(1000) / 1000));
    }

    private async Task<PublishPass> PassAsync(CancellationToken cancellation)
    {
        var isBlind = !TryQueueGuix();
        var pass = await new SpoolDrain(_options, _spool, _submitter, _logger, _time).RunAsync(cancellation);
        pass = isBlind && pass.Fault is PublishFault.None ? pass with { Fault = PublishFault.NoGuix } : pass;
        Volatile.Write(ref _last, pass);
        _metrics.Count(pass);
        return pass;
    }

    /// <summary>Queues what Guix has built; false when that cannot be seen.</summary>
    private bool TryQueueGuix()
    {
        try
        {
            _guix?.Poll();
            return true;
        }
        catch (Exception exception) when (exception is NixException or IOException or UnauthorizedAccessException)
        {
            _logger.NoGuix(exception.Message);
            return false;
        }
    }
}
