using System.Diagnostics.Metrics;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Meters the node; names follow Prometheus' conventions (the exporter adds a counter's <c>_total</c>).</summary>
internal sealed class LogMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "TrustixProxy.LogNode";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _submitted, _conflicts, _requests, _turnedAway;
    private readonly Histogram<double> _batch, _request;

    public LogMetrics()
    {
        _submitted = _meter.CreateCounter<long>("trustix_log_submitted_items", description: "Items queued durably.");
        _conflicts = _meter.CreateCounter<long>("trustix_log_conflicts",
            description: "Submitted values that differ from the log's value for their key, since this process started.");
        _batch = _meter.CreateHistogram<double>(
            "trustix_log_batch_seconds", "s", "Time to put a batch into the log and make its head durable.");
        _requests = _meter.CreateCounter<long>("trustix_log_requests", description: "Calls, by procedure and HTTP status.");
        _turnedAway = _meter.CreateCounter<long>(
            "trustix_log_connections_turned_away", description: "Connections closed unanswered because too many were open.");
        _request = _meter.CreateHistogram<double>("trustix_log_request_seconds", "s", "Time to answer a call.");
    }

    /// <summary>Starts observing the state of logs.</summary>
    public void Observe(IEnumerable<(string Name, Sequencer Sequencer)> logs)
    {
        Gauge("trustix_log_tree_size", "Entries in the log.", log => log.Sequencer.Head.Size);
        Gauge("trustix_log_heads", "Heads ever signed.", log => log.Sequencer.Head.MapHeadSize);
        Gauge("trustix_log_queue_items", "Items waiting for a head.", log => log.Sequencer.Queued);
        Gauge("trustix_log_head_age_seconds", "Age of the newest head, as seen by this process.", log =>
            log.Sequencer.HeadAge.TotalSeconds);

        void Gauge(string name, string description, Func<(string Name, Sequencer Sequencer), double> read) => _meter.CreateObservableGauge(
            name, () =>
                logs.Select(log => new Measurement<double>(read(log), new KeyValuePair<string, object?>("log", log.Name))),
                description: description);
    }

    public void Submitted(string log, int items) => _submitted.Add(items, new KeyValuePair<string, object?>("log", log));

    public void Sequenced(string log, int conflicts, TimeSpan took)
    {
        var tag = new KeyValuePair<string, object?>("log", log);
        _conflicts.Add(conflicts, tag);
        _batch.Record(took.TotalSeconds, tag);
    }

    public void Answered(string procedure, int status, TimeSpan took)
    {
        var tag = new KeyValuePair<string, object?>("procedure", procedure);
        _requests.Add(1, tag, new KeyValuePair<string, object?>("status", status));
        _request.Record(took.TotalSeconds, tag);
    }

    public void TurnedAway() => _turnedAway.Add(1);

    public void Dispose() => _meter.Dispose();
}
