using System.Diagnostics.Metrics;

namespace TrustixProxy.Publisher;

/// <summary>Meters a publisher; names follow Prometheus' conventions (the exporter adds a counter's <c>_total</c>).</summary>
public sealed class SpoolMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "TrustixProxy.Publisher";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _paths, _jobs, _passes;

    internal SpoolMetrics(Spool spool, TimeProvider time)
    {
        _paths = _meter.CreateCounter<long>("trustix_publish_paths",
            description: "Store paths, by result: published, excluded, not-built-here, contradicted.");
        _jobs = _meter.CreateCounter<long>(
            "trustix_publish_jobs_lost", description: "Jobs with a path never published, by reason: given-up, rejected.");
        _passes = _meter.CreateCounter<long>("trustix_publish_passes", description: "Passes over the spool, by what kept jobs in "
            + "it: none, refused, busy, unreachable, no-nix, no-guix, spool.");
        _meter.CreateObservableGauge(
            "trustix_spool_jobs", () => Read(() => spool.Jobs().Count), description: "Jobs waiting in the spool.");
        _meter.CreateObservableGauge(
            "trustix_spool_oldest_job_seconds", () => Read(() => (spool.OldestJob() is { } oldest ? time.GetUtcNow() - oldest
            : TimeSpan.Zero).TotalSeconds), description: "Age of the oldest waiting job; 0 if there is none.");
    }

    internal void Count(PublishPass pass)
    {
        _paths.Add(pass.Paths, new KeyValuePair<string, object?>("result", "published"));
        _paths.Add(pass.Excluded, new KeyValuePair<string, object?>("result", "excluded"));
        _paths.Add(pass.NotBuiltHere, new KeyValuePair<string, object?>("result", "not-built-here"));
        _paths.Add(pass.Contradicted, new KeyValuePair<string, object?>("result", "contradicted"));
        _jobs.Add(pass.Lost, new KeyValuePair<string, object?>("reason", "given-up"));
        _jobs.Add(pass.Rejected, new KeyValuePair<string, object?>("reason", "rejected"));
        _passes.Add(1, new KeyValuePair<string, object?>("fault", pass.Fault switch
        {
            PublishFault.None => "none",
            PublishFault.Refused => "refused",
            PublishFault.Busy => "busy",
            PublishFault.Unreachable => "unreachable",
            PublishFault.NoNix => "no-nix",
            PublishFault.NoGuix => "no-guix",
            PublishFault.Spool => "spool",
            _ => throw new System.Diagnostics.UnreachableException(),
        }));
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    /// <summary>Returns no measurement for an unreadable spool; the passes report the fault.</summary>
    private static IEnumerable<Measurement<double>> Read(Func<double> value)
    {
        try
        {
            return [new Measurement<double>(value())];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
