using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Publisher;

/// <summary>Gives a log what the post-build hooks have left in the spool.</summary>
/// <remarks>It can be ended at any time: what has not been acknowledged stays in the spool, and is submitted again.</remarks>
public sealed class SpoolPublisher : IDisposable
{
    /// <summary>How often <see cref="OnceAsync"/> tries to reach the log.</summary>
    private const int MaxTries = 3;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    private readonly PublisherOptions _options;
    private readonly Spool _spool;
    private readonly LogSubmitter _submitter;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly SpoolMetrics _metrics;
    private PublishPass? _last;

    /// <summary>Takes the spool.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="logger">Where it says what it does.</param>
    /// <exception cref="IOException">The spool cannot be made, or another publisher has it.</exception>
    /// <exception cref="UnauthorizedAccessException">The spool may not be written to.</exception>
    public SpoolPublisher(PublisherOptions options, ILogger logger, TimeProvider? time = null)
    {
        (_options, _logger, _time) = (options, logger, time ?? TimeProvider.System);
        _spool = Spool.Open(options.SpoolDirectory);
        _submitter = new LogSubmitter(options.Url, options.Token);
        _metrics = new SpoolMetrics(_spool, _time);
    }

    /// <summary>How the spool was gone through the last time; null before the first has ended.</summary>
    public PublishPass? Last => Volatile.Read(ref _last);

    /// <summary>Publishes all jobs that are there now; waits for descriptions that have yet to come, and tries a log that cannot be reached
    /// three times.</summary>
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

    /// <summary>Publishes until it is told to end.</summary>
    /// <exception cref="OperationCanceledException">It was told to.</exception>
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

    /// <summary>How long to wait after a pass. After faults twice as long each time: up to a minute, where the log refuses up to five. Half
    /// of it is chance, so that many builders don't come at once.</summary>
    /// <param name="fault">How the pass ended.</param>
    /// <param name="failures">How many have ended with a fault, one after the other; at least 1 when this one has.</param>
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
        var pass = await new SpoolDrain(_options, _spool, _submitter, _logger, _time).RunAsync(cancellation);
        Volatile.Write(ref _last, pass);
        _metrics.Count(pass);
        return pass;
    }
}
