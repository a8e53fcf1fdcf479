using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>What is counted of decisions.</summary>
internal static class DecisionMetrics
{
    public const string MeterName = "TrustixProxy.Substituter";

    private static readonly Meter Meter = new(MeterName);

    private static readonly Counter<long> Refused = Meter.CreateCounter<long>("trustix_proxy_records_refused", description: "Stored decisions that were misses, as they were altered, or of another path, key, policy or version.");

    private static readonly Counter<long> Decisions = Meter.CreateCounter<long>("trustix_proxy_decisions", description: "Decisions that were made here, by what clients are told (outcome) and what the policy makes of the electors' answers (verdict).");

    private static readonly Counter<long> LateDissents = Meter.CreateCounter<long>("trustix_proxy_late_dissents", description: "Claims against a decision that were proven after it had left, by elector.");

    /// <summary>A decision was made.</summary>
    /// <param name="outcome">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="verdict">What the electors' answers come to; null when nobody could be asked.</param>
    public static void Decided(string outcome, Verdict? verdict) => Decisions.Add(1, new("outcome", outcome), new("verdict", verdict?.Outcome ?? "none"));

    /// <summary>Someone has proven something else after the decision had left.</summary>
    public static void LateDissent(string elector) => LateDissents.Add(1, new KeyValuePair<string, object?>("elector", elector));

    /// <summary>A record from the disk or from Redis was none of ours.</summary>
    public static void RecordRefused(DecisionSealError error) => Refused.Add(1, new KeyValuePair<string, object?>("reason", error.ToString().ToLowerInvariant()));
}
