using System.Diagnostics.Metrics;

namespace TrustixProxy.Substituter.Operations;

/// <summary>What is counted of this room, whatever shows it. Names follow Prometheus' conventions; a counter's <c>_total</c> is added where it is shown.</summary>
internal static class ProxyMeter
{
    /// <summary>The meter that a listener asks for.</summary>
    public const string Name = "TrustixProxy.Substituter";

    /// <summary>What all of the process's counters hang on.</summary>
    public static Meter Meter { get; } = new(Name);
}
