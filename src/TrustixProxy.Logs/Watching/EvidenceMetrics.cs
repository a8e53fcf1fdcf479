using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Logs.Watching;

/// <summary>Meters electors' answers and failures.</summary>
public static class EvidenceMetrics
{
    private static readonly Counter<long> Failures = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_proof_failures",
        description: "Uncounted answers of an elector, by reason: invalid proofs, rejected heads, failed calls. An elector that "
            + "is retried may count more than once per decision.");

    private static readonly Histogram<double> Seconds = ProxyMeter.Seconds(
        "trustix_proxy_elector_seconds", "Time from the start of a decision to an elector's counted answer.");

    /// <summary>Records an elector's answer about a path, including an empty one.</summary>
    public static void Heard(string elector, Ballot ballot, TimeSpan after)
    {
        ProxyMeter.Stepped("elector", "elector", elector, after,
            ballot switch { Ballot.Silent { Reason: var reason } => Kebab.Of(reason), Ballot.Absent => "absent", _ => "claimed" });
        if (ballot is Ballot.Silent silent)
        {
            Failed(elector, silent.Reason);
        }
        else
        {
            Seconds.Record(after.TotalSeconds, new KeyValuePair<string, object?>("elector", elector));
        }
    }

    /// <summary>Records an elector's answer that was rejected or missing.</summary>
    public static void Failed(string elector, SilenceReason reason) =>
        Failures.Add(1, new("elector", elector), new("kind", Kebab.Of(reason)));
}
