using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Finds out in the background whether an upstream can be reached: while it fails, while it is away, and while it says
/// nothing.</summary>
/// <remarks>A probe is <c>GET nix-cache-info</c>; any answer but a server's error is one. A probe runs beside requests and never before
/// them, so no request waits for it.</remarks>
/// <param name="name">The upstream's name.</param>
/// <param name="probe">Probes once: null when it was answered, else the fault.</param>
/// <param name="health">Told of what comes of it.</param>
/// <param name="limit">The longest that one probe is waited for.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where our own faults are told.</param>
internal sealed class UpstreamProber(
    string name, Func<CancellationToken, Task<UpstreamFault?>> probe, UpstreamHealth health, TimeSpan limit, TimeProvider time,
        ILogger logger)
    : IDisposable
{
    /// <summary>How long a request may bring no sign of life until a probe is sent beside it, and how often that is looked at
    /// again.</summary>
    private static readonly TimeSpan Unease = TimeSpan.FromMilliseconds(250), Look = TimeSpan.FromSeconds(1);

    /// <summary>How long a probe may bring no sign of life, too, until the upstream is taken for silent; more for one that answered late
    /// before.</summary>
    private static readonly TimeSpan LeastPatience = TimeSpan.FromMilliseconds(650);

    /// <summary>Pauses between probes: while it fails, and from the first to the last while it is away.</summary>
    private static readonly TimeSpan FailingPause = TimeSpan.FromMilliseconds(250), FirstPause = TimeSpan.FromSeconds(1),
        LastPause = TimeSpan.FromSeconds(15);

    /// <summary>Patience is counted in this many waits, so that a machine too busy to run us does not use it up.</summary>
    private const int Waits = 7;

    private readonly CancellationTokenSource _end = new();
    private TimeSpan _patience = LeastPatience;
    private long _lastAnswer = time.GetTimestamp() - (10 * time.TimestampFrequency);
    private int _isRunning;

    /// <summary>Probes until it answers. Does nothing where that is under way, or was answered a moment ago.</summary>
    public void Begin()
    {
        var isFresh = !health.IsAway && time.GetElapsedTime(Volatile.Read(ref _lastAnswer)) < Look;
        if (!isFresh && !_end.IsCancellationRequested && Interlocked.Exchange(ref _isRunning, 1) is 0)
        {
            _ = RunAsync();
        }
    }

    /// <summary>Watches one request: while the upstream says nothing to anyone, it is probed. Dispose it when the request has
    /// ended.</summary>
    public IDisposable Watch()
    {
        var start = time.GetTimestamp();
        return time.CreateTimer(
            _ =>
            {
                if (time.GetElapsedTime(Math.Max(start, health.LastLife)) >= Unease)
                {
                    Begin();
                }
            },
            null,
            Unease,
            Look);
    }

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    /// <summary>Probes until it answers, whatever fails meanwhile: nobody else asks an upstream that is away.</summary>
    private async Task RunAsync()
    {
        using var answered = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        var loop = new SupervisedLoop("prober", name, TimeSpan.Zero, async stopping =>
        {
            await ProbeUntilAnsweredAsync(stopping);
            await answered.CancelAsync();
        });
        await loop.RunAsync(time, logger, answered.Token);
        Volatile.Write(ref _isRunning, 0);
        if (!_end.IsCancellationRequested && health.Status.State is UpstreamState.Away)
        {
            Begin(); // it went away just now, while this one ended
        }
    }

    private async Task ProbeUntilAnsweredAsync(CancellationToken cancellation)
    {
        var pause = FirstPause;
        while (true)
        {
            if (health.HeldFor is var held && held > TimeSpan.Zero)
            {
                await Task.Delay(held, time, cancellation);
            }

            var isAnswered = await ProbeAsync(cancellation);
            if (!health.IsAway && isAnswered)
            {
                return;
            }

            pause = health.IsAway ? pause : FirstPause;
            await Task.Delay(health.IsAway ? pause : FailingPause, time, cancellation);
            if (health.Status.State is UpstreamState.Live)
            {
                return; // a late answer came
            }

            pause = pause * 1.5 < LastPause ? pause * 1.5 : LastPause;
        }
    }

    /// <summary>Probes once; true when it was answered.</summary>
    private async Task<bool> ProbeAsync(CancellationToken cancellation)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var timer = time.CreateTimer(_ => late.Cancel(), null, limit, Timeout.InfiniteTimeSpan);
        var start = time.GetTimestamp();
        var asking = AskAsync(late.Token);
        for (var i = 0; i < Waits && !asking.IsCompleted; i++)
        {
            await Task.WhenAny(asking, Task.Delay(_patience / Waits, time, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }

        if (!asking.IsCompleted && health.LastLife <= start)
        {
            health.ReportSilence();
        }

        var fault = await asking;
        cancellation.ThrowIfCancellationRequested();
        health.ReportProbe(fault);
        if (fault is null)
        {
            var took = time.GetElapsedTime(start) * 2;
            _patience = took < LeastPatience ? LeastPatience : took < limit ? took : limit;
            Volatile.Write(ref _lastAnswer, time.GetTimestamp());
        }

        return fault is null;
    }

    private async Task<UpstreamFault?> AskAsync(CancellationToken cancellation)
    {
        try
        {
            return await probe(cancellation);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            return UpstreamFaultException.FaultOf(exception);
        }
        catch (Exception exception)
        {
            logger.ProbingFailed(exception, name);
            return new UpstreamFault(UpstreamFailure.RequestFailed);
        }
    }
}
