using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Health;

/// <summary>An upstream, or a signed cache that votes.</summary>
/// <param name="IsUp">Whether it is up and in use; false if it is down or was never used.</param>
/// <param name="State">Its state: <c>unknown</c>, <c>live</c>, <c>failing</c>, <c>away</c>.</param>
/// <param name="Since">Start of failing or away; null otherwise.</param>
/// <param name="Why">First cause and remedy; null otherwise.</param>
internal sealed record SourceHealth(string Name, string Url, bool IsUp, string State, DateTimeOffset? Since, string? Why)
{
    /// <summary>Since when it has been live, as far as this process knows; null while it is not.</summary>
    [JsonIgnore]
    public DateTimeOffset? LiveSince { get; init; }

    public static SourceHealth Of(string name, Upstream upstream)
    {
        upstream.Probe(); // health is shown even before the first request
        var status = upstream.Health.Status;
        var isUp = status.State is UpstreamState.Live or UpstreamState.Failing;
        return new SourceHealth(name, upstream.Options.Url.ToString(), isUp, Kebab.Of(status.State), status.Since, status.Why)
        {
            LiveSince = upstream.Health.LiveSince,
        };
    }

    /// <summary>Whether it is expected to answer.</summary>
    [JsonIgnore]
    public bool MayAnswer => State is not "away";
}

/// <summary>A rule of the policy.</summary>
/// <param name="Match">Names it applies to; <c>*</c> for all others.</param>
/// <param name="Rule">The rule.</param>
/// <param name="IsReachable">Whether the reachable electors can meet it.</param>
internal sealed record RuleHealth(string Match, string Rule, bool IsReachable);

/// <summary>Snapshot of the proxy's health.</summary>
/// <param name="Logs">The logs.</param>
/// <param name="Caches">The signed caches and servers of proof files that vote.</param>
/// <param name="Upstreams">The upstreams.</param>
/// <param name="Rules">The policy's rules, the default rule last.</param>
/// <param name="CanDecide">Whether decisions are possible: the default rule can be met (in report mode: the fallback is up; without
/// electors: content-addressed paths are served), and an upstream is up.</param>
internal sealed record ProxyHealth(IReadOnlyList<LogStatus> Logs, IReadOnlyList<SourceHealth> Caches, IReadOnlyList<SourceHealth> Upstreams,
    IReadOnlyList<RuleHealth> Rules, bool CanDecide)
{
    public static ProxyHealth Of(ProxyParts parts)
    {
        var logs = LogsOf(parts);
        var caches = parts.FileSources.Select(cache => SourceHealth.Of(cache.Elector.Name, cache.Source)).ToList();
        var upstreams = parts.Upstreams.Select(upstream => SourceHealth.Of(upstream.Options.Name, upstream)).ToList();
        var heard = logs.Where(log => log.IsHeard).Select(log => log.Name)
            .Concat(caches.Where(cache => cache.MayAnswer).Select(cache => cache.Name)).ToHashSet();
        var operators = parts.Policy.Electors.Where(elector => heard.Contains(elector.Name)).Select(elector => elector.Operator)
            .ToHashSet();
        var rules = parts.Policy.Scopes.Append(parts.Policy.Rest)
            .Select(scope => new RuleHealth(scope.Match ?? "*", scope.Rule.ToString(), parts.Policy.IsMet(scope.Rule, operators))).ToList();
        var asksNobody = parts.Policy is { Electors.IsEmpty: true, ServesContentAddressed: true };
        var isRuleMet = parts.Policy.Fallback is { } fallback ? heard.Contains(fallback) : rules[^1].IsReachable || asksNobody;
        IReadOnlyList<SourceHealth> shown = parts.Shared is { } shared
            ? [.. upstreams, SourceHealth.Of(shared.Options.Name, shared)] : upstreams;
        return new ProxyHealth(logs, caches, shown, rules, isRuleMet && upstreams.Any(upstream => upstream.MayAnswer));
    }

    /// <summary>Writes the answer of <c>/readyz</c>.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(
        new ToldHealth(CanDecide, Logs.Select(log => new ToldLogHealth(
            log.Name, Kebab.Of(log.Health), log.IsHeard, log.State, log.Size, log.SeenAt, log.GrownAt)), Caches, Upstreams, Rules),
        ToldHealthJson.Default.ToldHealth);

    private static IReadOnlyList<LogStatus> LogsOf(ProxyParts parts)
    {
        IReadOnlyList<LogStatus> logs = [];
        return DiskRefusal.Of(() => logs = parts.Register.List()) is not { } refusal ? logs
            // Decisions continue without the disk, from this process's memory.
            : [.. parts.Logs.Select(log => new LogStatus(
                log.Name, log.Source, log.Head?.Content.TreeSize, null, null, $"unknown: the state database refuses reads ({refusal})",
                log.IsFrozen ? LogHealth.Frozen : log.Head is null ? LogHealth.Unseen
                    : log.Witnesses?.Gap is not null ? LogHealth.Unwitnessed : LogHealth.Live, []))];
    }
}

/// <summary>The JSON of <c>/readyz</c>.</summary>
internal sealed record ToldHealth(bool Ready, IEnumerable<ToldLogHealth> Logs, IReadOnlyList<SourceHealth> Caches,
    IReadOnlyList<SourceHealth> Upstreams, IReadOnlyList<RuleHealth> Rules);

/// <summary>A log in it.</summary>
internal sealed record ToldLogHealth(
    string Name, string Health, bool IsHeard, string State, long? Size, DateTimeOffset? SeenAt, DateTimeOffset? GrownAt);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ToldHealth))]
internal sealed partial class ToldHealthJson : JsonSerializerContext;

/// <summary>Computes the proxy's health; cached for one second.</summary>
/// <param name="parts">Returns the current parts.</param>
internal sealed class HealthCheck(CurrentParts parts, TimeProvider time)
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(1);

    private readonly Lock _looking = new();
    private (ProxyHealth Health, long At)? _last;

    /// <summary>Returns the current health.</summary>
    public ProxyHealth Look()
    {
        lock (_looking)
        {
            if (_last is not { } last || time.GetElapsedTime(last.At) > Freshness)
            {
                _last = last = (ProxyHealth.Of(parts.Value), time.GetTimestamp());
            }

            return last.Health;
        }
    }
}
