using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>What is counted of decisions.</summary>
internal static class DecisionMetrics
{
    public const string MeterName = "TrustixProxy.Substituter";

    private static readonly Meter Meter = new(MeterName);

    private static readonly Counter<long> Refused = Meter.CreateCounter<long>("trustix_proxy_records_refused", description: "Stored decisions that were misses, as they were altered, or of another path, key, policy or version.");

    /// <summary>A record from the disk or from Redis was none of ours.</summary>
    public static void RecordRefused(DecisionSealError error) => Refused.Add(1, new KeyValuePair<string, object?>("reason", error.ToString().ToLowerInvariant()));
}
