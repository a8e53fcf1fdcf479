using System.Diagnostics.Metrics;
using TrustixProxy.LogNode.Sequencing;

namespace TrustixProxy.LogNode.Witnessing;

/// <summary>Meters the cosigning of logs with witnesses, beside <see cref="LogMetrics"/>.</summary>
internal sealed class WitnessMetrics : IDisposable
{
    private readonly Meter _meter = new(LogMetrics.MeterName);
    private readonly Counter<long> _rounds;

    public WitnessMetrics() => _rounds = _meter.CreateCounter<long>(
        "trustix_log_cosigning_rounds", description: "Rounds of asking witnesses, by result: cosigned, no_quorum or stopped.");

    /// <summary>Starts observing logs with witnesses.</summary>
    public void Observe(IReadOnlyCollection<(string Name, Sequencer Sequencer, Cosigner Cosigner)> logs, TimeProvider time)
    {
        Gauge("trustix_log_cosigned_age_seconds", "Time since a quorum of witnesses last cosigned the log's newest head.",
            log => (time.GetUtcNow() - log.Cosigner.Status.QuorumAt).TotalSeconds);
        Gauge("trustix_log_witnesses_answering", "Witnesses that cosigned in the last round.", log => log.Cosigner.Status.Answering);
        Gauge("trustix_log_signing_stopped", "Whether nothing is signed, as the state may be an old copy: 1 or 0.",
            log => log.Sequencer.Refusal is null ? 0 : 1);

        void Gauge(string name, string description, Func<(string Name, Sequencer Sequencer, Cosigner Cosigner), double> read) =>
            _meter.CreateObservableGauge(
                name, () => logs.Select(log => new Measurement<double>(read(log), new KeyValuePair<string, object?>("log", log.Name))),
                description: description);
    }

    public void Asked(string log, string result) =>
        _rounds.Add(1, new KeyValuePair<string, object?>("log", log), new KeyValuePair<string, object?>("result", result));

    public void Dispose() => _meter.Dispose();
}
