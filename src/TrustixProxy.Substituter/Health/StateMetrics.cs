using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.FrontDoor;

namespace TrustixProxy.Substituter.Health;

/// <summary>Exposes the proxy's state as gauges, computed only when scraped.</summary>
internal sealed class StateMetrics : IDisposable
{
    private readonly Meter _meter = new(ProxyMeter.Name);
    private readonly HealthCheck _check;

    /// <param name="check">The proxy's health.</param>
    public StateMetrics(CurrentParts parts, HealthCheck check)
    {
        _check = check;
        // Counters start at zero, so that alerts can refer to them. Each is named, so that the compiler checks it.
        RuntimeHelpers.RunClassConstructor(typeof(ClientMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(DecisionMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(EvidenceMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(UpstreamMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(NarStoreMetrics).TypeHandle);

        Gauge("trustix_proxy_ready", "Whether decisions are possible: 1 or 0, as /readyz.", health =>
            [new(health.CanDecide ? 1 : 0)]);
        Gauge("trustix_proxy_rule_reachable", "Whether the reachable electors can meet a rule of the policy: 1 or 0.",
            health => health.Rules.Select(rule => Of(rule.IsReachable ? 1 : 0, "match", rule.Match)));
        Gauge("trustix_proxy_upstream_up", "Whether an upstream is up and in use: 1, or 0 if it is down or was never used.",
            health => health.Upstreams.Select(upstream => Of(upstream.IsUp ? 1 : 0, "upstream", upstream.Name)));
        Gauge("trustix_proxy_upstream_state", "State of each upstream: 1 for the current state, else 0.", health =>
            health.Upstreams.SelectMany(StatesOf));
        Gauge("trustix_proxy_cache_up", "Whether a voting cache is up and in use: 1, or 0 if it is down or was never used.", health =>
            health.Caches.Select(cache => Of(cache.IsUp ? 1 : 0, "elector", cache.Name)));
        Gauge("trustix_proxy_log_entries", "Entries under the newest accepted head of a log.", health =>
            health.Logs.Where(log => log.Size is not null).Select(log => Of(log.Size!.Value, "log", log.Name)));
        Gauge("trustix_proxy_log_seen_timestamp_seconds",
            "When a log last answered with an accepted head; one-minute resolution while nothing changes.", health =>
            health.Logs.Where(log => log.SeenAt is not null).Select(log => Of(Seconds(log.SeenAt), "log", log.Name)));
        Gauge("trustix_proxy_log_grown_timestamp_seconds", "When a log last grew.", health =>
            health.Logs.Where(log => log.GrownAt is not null).Select(log => Of(Seconds(log.GrownAt), "log", log.Name)));
        Gauge("trustix_proxy_log_state", "State of each log: 1 for the current state, else 0.", health =>
            health.Logs.SelectMany(log => Enum.GetValues<LogHealth>()
            .Select(state => new Measurement<double>(log.Health == state ? 1 : 0, new("log", log.Name), new("state", Kebab.Of(state))))));
        Gauge("trustix_proxy_log_evidence",
            "Stored evidence against a log, including evidence from before it was unfrozen.", health =>
            health.Logs.Select(log => Of(log.Unfreezings.Count + (log.IsFrozen ? 1 : 0), "log", log.Name)));
        _meter.CreateObservableGauge("trustix_proxy_decisions_underway", () => (double)parts.Value.Decider.Underway,
            description: "Decisions in flight.");
        _meter.CreateObservableGauge("trustix_proxy_cache_memory_bytes", () => (double)parts.Value.Cache.MemorySize,
            description: "Bytes of decisions cached in memory.");
        _meter.CreateObservableGauge("trustix_proxy_nar_store_bytes", () => parts.Value.NarStore is { } store ? [new(store.Size)]
            : Array.Empty<Measurement<double>>(), description: "Bytes of NARs on disk; absent without a NAR store.");
        _meter.CreateObservableGauge("trustix_proxy_redis_up", () => parts.Value.Redis is { } redis ? [new(redis.IsThere ? 1 : 0)]
            : Array.Empty<Measurement<double>>(), description: "Whether Redis answered recently: 1 or 0; absent without Redis.");
        _meter.CreateObservableCounter(
            "trustix_proxy_loop_failures", () =>
                SupervisedLoop.Failures.Select(
                loop => new Measurement<long>(loop.Value, new KeyValuePair<string, object?>("loop", loop.Key))),
            description: "Failures of background work; the log gives the reasons.");
        _meter.CreateObservableGauge(
            "trustix_proxy_mirror_entries",
            () => parts.Value.Mirrors.Where(mirror => mirror.Mirror.Head is not null)
                .Select(mirror => Of(mirror.Mirror.Head!.Content.TreeSize, "log", mirror.Mirror.Name)),
            description: "Entries of a log that its mirror has verified.");
    }

    public void Dispose() => _meter.Dispose();

    private void Gauge(string name, string description, Func<ProxyHealth, IEnumerable<Measurement<double>>> read) =>
        _meter.CreateObservableGauge(name, () => read(_check.Look()), description: description);

    private static IEnumerable<Measurement<double>> StatesOf(SourceHealth source) => Enum.GetValues<UpstreamState>().Select(Kebab.Of)
        .Select(state => new Measurement<double>(source.State == state ? 1 : 0, new("upstream", source.Name), new("state", state)));

    private static Measurement<double> Of(double value, string label, string name) =>
        new(value, new KeyValuePair<string, object?>(label, name));

    private static double Seconds(DateTimeOffset? time) => time!.Value.ToUnixTimeMilliseconds() / 1000.0;
}
