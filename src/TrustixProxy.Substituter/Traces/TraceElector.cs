using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Traces;

/// <summary>Queries a signed cache about build traces: a trace signed by one of its keys is its vote.</summary>
/// <param name="elector">The cache.</param>
/// <param name="source">Sends the requests.</param>
internal sealed class TraceElector(Elector.Cache elector, Upstream source, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>The elector's name.</summary>
    public string Name => elector.Name;

    /// <summary>Asks until there is an answer, or nobody waits for one any more.</summary>
    /// <param name="key">The output asked about.</param>
    /// <param name="waiting">Cancelled when nobody waits.</param>
    public async Task<TraceAnswer> AskAsync(TraceKey key, CancellationToken waiting)
    {
        while (true)
        {
            var answer = await source.ReadAsync(key.Address, BuildTrace.MaxSize, waiting);
            if (answer is not UpstreamAnswer.Failed { Fault.IsAnswer: false, IsAway: false } || waiting.IsCancellationRequested)
            {
                return new TraceAnswer(Name, Judge(key, answer), answer is not UpstreamAnswer.Failed);
            }

            await Task.WhenAny(Task.Delay(Pause, time, waiting)); // the cancellation is looked at after the next try
        }
    }

    private TraceBallot Judge(TraceKey key, UpstreamAnswer answer) => answer switch
    {
        UpstreamAnswer.Absent => TraceBallot.Absent,
        UpstreamAnswer.FoundFile { File: var json } => !BuildTrace.TryParse(key, json, out var trace)
            ? TraceBallot.Silent(SilenceReason.BadAnswer)
            : TraceClaim.TryReadSigned(trace, elector, out var claim) ? new TraceBallot(claim)
            : TraceBallot.Silent(SilenceReason.NoSignature),
        UpstreamAnswer.Failed { Fault.IsAnswer: true, Fault.Kind: not UpstreamFailure.Throttled } =>
            TraceBallot.Silent(SilenceReason.BadAnswer),
        UpstreamAnswer.Failed { IsAway: true } => TraceBallot.Silent(SilenceReason.BreakerOpen),
        _ => TraceBallot.Silent(SilenceReason.NoAnswer),
    };
}

/// <summary>A cache's answer.</summary>
/// <param name="Elector">Its name.</param>
/// <param name="Ballot">What it comes to.</param>
/// <param name="IsFirm">Whether the next answer would be the same.</param>
internal sealed record TraceAnswer(string Elector, TraceBallot Ballot, bool IsFirm);
