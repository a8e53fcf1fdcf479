using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Probes in the background whether an upstream can be reached, while it fails, is away or is silent.</summary>
/// <remarks>A probe asks for <see cref="UpstreamOptions.ProbeFile"/>; any answer except a server error counts. Probes run in parallel to
/// requests, so no request waits for one.</remarks>
/// <param name="name">The upstream's name.</param>
/// <param name="probe">Sends one probe: null when answered, else the fault.</param>
/// <param name="health">Notified of the result.</param>
/// <param name="connecting">Says how long the last connect took: a probe of a distant upstream may take longer.</param>
/// <param name="limit">Maximum wait for one probe.</param>
internal sealed class UpstreamProber(
    string name, Func<CancellationToken, Task<UpstreamFault?>> probe, UpstreamHealth health, HappyEyeballs connecting, TimeSpan limit,
        TimeProvider time, ILogger logger)
    : IDisposable
{
    /// <summary>Silence of a request after which a probe is sent in parallel, and the interval between checks.</summary>
    private static readonly TimeSpan Unease = TimeSpan.FromMilliseconds(250), Look = TimeSpan.FromSeconds(1);

    /// <summary>How early a timer may fire. Without this allowance, an early one would delay the probe by a whole interval.</summary>
    private static readonly TimeSpan Grain = TimeSpan.FromMilliseconds(20);

    /// <summary>Silence of a probe after which the upstream counts as silent; longer after a late answer.</summary>
    private static readonly TimeSpan LeastPatience = TimeSpan.FromMilliseconds(550);

    /// <summary>Pauses between probes: while it fails; and the shortest and longest while it is away.</summary>
    private static readonly TimeSpan FailingPause = TimeSpan.FromMilliseconds(250), FirstPause = TimeSpan.FromSeconds(1),
        LastPause = TimeSpan.FromSeconds(4);

    /// <summary>Connect times that a probe over a new connection may take: TCP, TLS and the answer, with room for one lost
    /// packet.</summary>
    private const int ConnectTimes = 5;

    /// <summary>Number of waits that make up the patience, so that a busy machine does not use it up.</summary>
    private const int Waits = 7;

    private readonly CancellationTokenSource _end = new();
    private TimeSpan _patience = LeastPatience;
    private long _lastAnswer = time.GetTimestamp() - (10 * time.TimestampFrequency);
    private int _isRunning;

    /// <summary>Probes until it answers. Does nothing while a probe is in flight or was just answered.</summary>
    public void Begin()
    {
        var isFresh = !health.IsAway && time.GetElapsedTime(Volatile.Read(ref _lastAnswer)) < Look;
        if (!isFresh && !_end.IsCancellationRequested && Interlocked.Exchange(ref _isRunning, 1) is 0)
        {
            _ = RunAsync();
        }
    }

    /// <summary>Watches one request: probes while the upstream sends nothing at all. Dispose it when the request ends.</summary>
    public IDisposable Watch()
    {
        var start = time.GetTimestamp();
        return time.CreateTimer(
            _ =>
            {
                if (time.GetElapsedTime(Math.Max(start, health.LastLife)) >= Unease - Grain)
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

    /// <summary>Probes until it answers, despite any failure: nothing else asks an upstream that is away.</summary>
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
            Begin(); // it went away while this run ended
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

            var isAnswered = await ProbeAsync(pause, cancellation);
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

    /// <summary>Sends one probe; true when it was answered. Where the upstream is away, the wait grows with the pauses between probes: one
    /// that came back may never answer what it was asked before.</summary>
    private async Task<bool> ProbeAsync(TimeSpan pause, CancellationToken cancellation)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var timer = time.CreateTimer(_ => late.Cancel(), null, limit, Timeout.InfiniteTimeSpan);
        var start = time.GetTimestamp();
        var asking = AskAsync(late.Token);
        var step = _patience / Waits;
        for (var waited = TimeSpan.Zero; waited < Patience && !asking.IsCompleted; waited += step) // connecting may raise the patience
        {
            await Task.WhenAny(asking, Task.Delay(step, time, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }

        if (!asking.IsCompleted && health.LastLife <= start)
        {
            health.ReportSilence();
        }

        if (health.IsAway && (pause * 2) - time.GetElapsedTime(start) is var left && left < limit)
        {
            timer.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
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

    /// <summary>Silence of the current probe after which the upstream counts as silent.</summary>
    private TimeSpan Patience =>
        connecting.LastConnect * ConnectTimes is var far && far > _patience ? (far < limit ? far : limit) : _patience;

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
