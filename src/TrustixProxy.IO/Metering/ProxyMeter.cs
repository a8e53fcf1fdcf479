using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace TrustixProxy.IO.Metering;

/// <summary>Creates the proxy's metrics and traces, whatever exports them. Names follow Prometheus' conventions; the exporter adds a
/// counter's <c>_total</c>.</summary>
public static class ProxyMeter
{
    /// <summary>Name of the meter and of the trace source.</summary>
    public const string Name = "TrustixProxy.Substituter";

    private static readonly InstrumentAdvice<double> Bounds =
        new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] };

    private static readonly ActivitySource Source = new(Name);

    /// <summary>The meter of all the process's counters.</summary>
    public static Meter Meter { get; } = new(Name);

    /// <summary>Creates a histogram of times in seconds.</summary>
    public static Histogram<double> Seconds(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, tags: null, Bounds);

    /// <summary>Starts a step of a trace, which ends when it is disposed. Returns null, at almost no cost, without a listener.</summary>
    /// <param name="key">The tag's name: path, log, upstream.</param>
    /// <param name="value">The tag's value.</param>
    public static Activity? Step(string name, string key, string value) =>
        Source.HasListeners() ? Source.StartActivity(name)?.SetTag(key, value) : null;

    /// <summary>Records a finished step of a trace.</summary>
    /// <param name="key">The tag's name: path, log, upstream.</param>
    /// <param name="value">The tag's value.</param>
    /// <param name="took">Duration, ending now.</param>
    public static void Stepped(string name, string key, string value, TimeSpan took, string outcome)
    {
        if (Source.HasListeners())
        {
            using var step = Source.StartActivity(name, ActivityKind.Internal, parentContext: default,
                [new(key, value), new("outcome", outcome)], startTime: TimeProvider.System.GetUtcNow() - took);
        }
    }
}
