using System.Diagnostics.Metrics;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.AptGate.Decisions;

/// <summary>What the gate counts.</summary>
internal static class GateMetrics
{
    private static readonly Counter<long> Decisions = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_apt_decisions", description: "Packages decided on by asking rebuilders, by outcome.");

    private static readonly Histogram<double> Times = ProxyMeter.Seconds(
        "trustix_apt_decision_seconds", "Time that deciding on a package took.");

    private static readonly Counter<long> Answers = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_apt_answers", description: "Answers of rebuilders, by rebuilder and kind.");

    private static readonly Counter<long> Files = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_apt_files", description: "Files that clients asked for, by kind and status.");

    public static void Decided(Outcome outcome, TimeSpan took)
    {
        Decisions.Add(1, new KeyValuePair<string, object?>("outcome", outcome.Word()));
        Times.Record(took.TotalSeconds);
    }

    public static void Answered(string rebuilder, DebBallot ballot) => Answers.Add(
        1, new KeyValuePair<string, object?>("rebuilder", rebuilder), new KeyValuePair<string, object?>("answer", WordOf(ballot)));

    /// <summary>Counts an answer to a client.</summary>
    /// <param name="kind"><c>package</c>, <c>index</c>, <c>by-hash</c> or <c>other</c>.</param>
    public static void Served(string kind, int status) => Files.Add(
        1, new KeyValuePair<string, object?>("kind", kind), new KeyValuePair<string, object?>("status", status));

    /// <summary>A ballot in one word.</summary>
    public static string WordOf(DebBallot ballot) => ballot switch
    {
        DebBallot.Claimed => "good",
        DebBallot.Bad => "bad",
        DebBallot.Unknown => "unknown",
        DebBallot.Silent { IsAnswer: true } => "unusable",
        _ => "silent",
    };
}
