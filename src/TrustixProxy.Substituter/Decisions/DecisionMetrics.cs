using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Tiers that may hold a stored decision.</summary>
internal enum CacheTier
{
    /// <summary>Memory of this process.</summary>
    Memory,

    /// <summary>State database.</summary>
    Disk,

    /// <summary>Redis, shared by replicas.</summary>
    Redis,
}

/// <summary>Result of a lookup in a tier.</summary>
internal enum LookupResult
{
    /// <summary>Found and valid.</summary>
    Hit,

    /// <summary>Not found.</summary>
    Miss,

    /// <summary>Found but rejected: not sealed by us, expired, or based on electors no longer trusted.</summary>
    Rejected,
}

/// <summary>Metrics of decisions.</summary>
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

    /// <summary>Lookups by tier and result. Plain integers, since every warm request increments one.</summary>
    private static readonly long[,] Looks = new long[Enum.GetValues<CacheTier>().Length, Enum.GetValues<LookupResult>().Length];

    static DecisionMetrics() => ProxyMeter.Meter.CreateObservableCounter(
        "trustix_proxy_cache_lookups", CountLookups, description: "Lookups of stored decisions, by tier: hit, miss, or rejected "
            + "because the record is not trusted. A hit ends the lookup.");

    /// <summary>Counts a decision.</summary>
    /// <param name="outcome">What was decided.</param>
    /// <param name="verdict">Verdict on the electors' answers; null if no elector could be asked.</param>
    /// <param name="took">Time since the first query.</param>
    public static void Decided(Outcome outcome, Verdict? verdict, TimeSpan took)
    {
        Decisions.Add(1, new("outcome", outcome.Word()), new("verdict", verdict?.Outcome.Word() ?? "none"));
        Seconds.Record(took.TotalSeconds, new KeyValuePair<string, object?>("outcome", outcome.Word()));
        foreach (var answer in verdict?.Answers ?? [])
        {
            Answers.Add(1, new("elector", answer.Elector.Name), new("answer", WordOf(answer.Ballot, verdict!.Granted)));
        }
    }

    /// <summary>Counts an elector that proved a different claim after the decision was sent.</summary>
    public static void LateDissent(string elector) => LateDissents.Add(1, new KeyValuePair<string, object?>("elector", elector));

    /// <summary>Counts a record from disk or Redis without our seal.</summary>
    public static void RecordRefused(DecisionSealError error) =>
        Refused.Add(1, new KeyValuePair<string, object?>("reason", error.ToString().ToLowerInvariant()));

    /// <summary>Counts a lookup; costs one addition.</summary>
    public static void LookedUp(CacheTier tier, LookupResult result) => Interlocked.Increment(ref Looks[(int)tier, (int)result]);

    /// <summary>Returns the number of lookups with this result.</summary>
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
