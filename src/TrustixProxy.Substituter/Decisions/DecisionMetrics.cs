using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Where a decision that was made before may be.</summary>
internal enum CacheTier
{
    /// <summary>In this process.</summary>
    Memory,

    /// <summary>In the state database.</summary>
    Disk,

    /// <summary>In Redis, from another replica.</summary>
    Redis,
}

/// <summary>What came of looking there.</summary>
internal enum LookupResult
{
    /// <summary>It was there, and holds.</summary>
    Hit,

    /// <summary>There was nothing.</summary>
    Miss,

    /// <summary>What was there is not believed: it is none of ours, has expired, or rests on voters who are no longer believed.</summary>
    Rejected,
}

/// <summary>What is counted of decisions.</summary>
internal static class DecisionMetrics
{
    private static readonly Counter<long> Refused = ProxyMeter.Meter.CreateCounter<long>("trustix_proxy_records_refused",
        description: "Stored decisions ignored because they were altered, or are of another path, key, policy or version.");

    private static readonly Counter<long> Decisions = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_decisions",
        description: "Decisions made here, by the outcome sent to clients and the policy's verdict on the electors' answers "
            + "(verdict).");

    private static readonly Counter<long> Answers = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_elector_answers",
        description: "Answers of each elector at decision time: a claim with, against or open to the decision, absent, or the "
            + "reason for silence.");

    private static readonly Counter<long> LateDissents = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_late_dissents", description: "Claims against a decision proven after the decision was sent, by elector.");

    private static readonly Histogram<double> Seconds = ProxyMeter.Seconds(
        "trustix_proxy_decision_seconds", "Time to make a decision, from the first request to the answer, by outcome.");

    /// <summary>Looks at each tier, by result: plain numbers, as the memory's are every warm request's.</summary>
    private static readonly long[,] Looks = new long[Enum.GetValues<CacheTier>().Length, Enum.GetValues<LookupResult>().Length];

    static DecisionMetrics() => ProxyMeter.Meter.CreateObservableCounter(
        "trustix_proxy_cache_lookups", CountLookups, description: "Lookups of stored decisions, by tier: hit, miss, or rejected "
            + "because the record is not trusted. A hit ends the lookup.");

    /// <summary>A decision was made.</summary>
    /// <param name="outcome">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="verdict">What the electors' answers come to; null when nobody could be asked.</param>
    /// <param name="took">From the first asking on.</param>
    public static void Decided(string outcome, Verdict? verdict, TimeSpan took)
    {
        Decisions.Add(1, new("outcome", outcome), new("verdict", verdict?.Outcome ?? "none"));
        Seconds.Record(took.TotalSeconds, new KeyValuePair<string, object?>("outcome", outcome));
        foreach (var answer in verdict?.Answers ?? [])
        {
            Answers.Add(1, new("elector", answer.Elector.Name), new("answer", WordOf(answer.Ballot, verdict!.Granted)));
        }
    }

    /// <summary>Someone has proven something else after the decision had left.</summary>
    public static void LateDissent(string elector) => LateDissents.Add(1, new KeyValuePair<string, object?>("elector", elector));

    /// <summary>A record from the disk or from Redis was none of ours.</summary>
    public static void RecordRefused(DecisionSealError error) =>
        Refused.Add(1, new KeyValuePair<string, object?>("reason", error.ToString().ToLowerInvariant()));

    /// <summary>It was looked whether a decision was made before. Costs an addition.</summary>
    public static void LookedUp(CacheTier tier, LookupResult result) => Interlocked.Increment(ref Looks[(int)tier, (int)result]);

    /// <summary>How often that came of looking there.</summary>
    public static long Lookups(CacheTier tier, LookupResult result) => Interlocked.Read(ref Looks[(int)tier, (int)result]);

    private static IEnumerable<Measurement<long>> CountLookups() =>
        from tier in Enum.GetValues<CacheTier>()
        from result in Enum.GetValues<LookupResult>()
        select new Measurement<long>(Lookups(tier, result), new("tier", Kebab.Of(tier)), new("result", Kebab.Of(result)));

    private static string WordOf(Ballot ballot, OutputClaim? granted) => ballot switch
    {
        Ballot.Claimed vote => granted is null ? "open" : vote.Claim == granted ? "with" : "against",
        Ballot.Absent => "absent",
        Ballot.Silent silent => Kebab.Of(silent.Reason),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
