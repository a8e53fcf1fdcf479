using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace TrustixProxy.IO.Metering;

/// <summary>What is counted and traced of this room, whatever shows it. Names follow Prometheus' conventions; a counter's <c>_total</c> is
/// added where it is shown.</summary>
public static class ProxyMeter
{
    /// <summary>The meter, and the source of traces, that a listener asks for.</summary>
    public const string Name = "TrustixProxy.Substituter";

    private static readonly InstrumentAdvice<double> Bounds =
        new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] };

    private static readonly ActivitySource Source = new(Name);

    /// <summary>What all of the process's counters hang on.</summary>
    public static Meter Meter { get; } = new(Name);

    /// <summary>A histogram of times.</summary>
    public static Histogram<double> Seconds(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, tags: null, Bounds);

    /// <summary>Begins a step of a trace, which ends when it is disposed; null, and next to nothing, while nobody looks.</summary>
    /// <param name="key">Of what it is told: path, log, upstream.</param>
    /// <param name="value">Which.</param>
    public static Activity? Step(string name, string key, string value) =>
        Source.HasListeners() ? Source.StartActivity(name)?.SetTag(key, value) : null;

    /// <summary>The same of a step that is over.</summary>
    /// <param name="key">Of what it is told.</param>
    /// <param name="value">Which.</param>
    /// <param name="took">Until now.</param>
    /// <param name="outcome">What came of it.</param>
    public static void Stepped(string name, string key, string value, TimeSpan took, string outcome)
    {
        if (Source.HasListeners())
        {
            using var step = Source.StartActivity(name, ActivityKind.Internal, parentContext: default,
                [new(key, value), new("outcome", outcome)], startTime: TimeProvider.System.GetUtcNow() - took);
        }
    }
}
