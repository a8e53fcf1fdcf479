using System.Diagnostics.Metrics;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Nars.Store;

/// <summary>Meters the NAR store.</summary>
public static class NarStoreMetrics
{
    private static readonly Counter<long> Reads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_store_reads", description: "Lookups in the NAR store, by result: hit, miss, damaged.");

    private static readonly Counter<long> Writes = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_store_writes",
        description: "Verified NARs, by outcome in the NAR store: stored, refused (disk error), dropped (the disk was too "
            + "slow), no-room.");

    private static readonly Counter<long> Evictions = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_store_evictions", description: "NARs evicted from the NAR store.");

    private static readonly Counter<long> SharedReads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_shared_nar_reads",
        description: "NARs that the shared bucket sent, by result: hit, refused (not what was agreed on).");

    private static readonly Counter<long> SharedUploads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_shared_nar_uploads",
        description: "Verified NARs, by outcome in the shared bucket: stored, present, failed (tried up to ten times), dropped (too many "
            + "waited), evicted (from our own disk), too-large.");

    public static void ReadShared(bool isRight) =>
        SharedReads.Add(1, new KeyValuePair<string, object?>("result", isRight ? "hit" : "refused"));

    public static void Uploaded(string outcome) => SharedUploads.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public static void Read(string result) => Reads.Add(1, new KeyValuePair<string, object?>("result", result));

    public static void Written(string result) => Writes.Add(1, new KeyValuePair<string, object?>("result", result));

    public static void Evicted() => Evictions.Add(1);
}
