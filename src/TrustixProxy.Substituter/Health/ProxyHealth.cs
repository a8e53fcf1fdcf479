using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Health;

/// <summary>An upstream, or a signed cache that votes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Url">Where it is.</param>
/// <param name="IsUp">Whether it answered, and is asked: not when it is away, or was never asked.</param>
/// <param name="State">Its state: <c>unknown</c>, <c>live</c>, <c>failing</c>, <c>away</c>.</param>
/// <param name="Since">Since when it is failing or away; null when it is neither.</param>
/// <param name="Why">The first cause of that, and what helps; null when it is neither.</param>
internal sealed record SourceHealth(string Name, string Url, bool IsUp, string State, DateTimeOffset? Since, string? Why)
{
    public static SourceHealth Of(string name, Upstream upstream)
    {
        upstream.Probe(); // who looks wants to know, also where no request came yet
        var status = upstream.Health.Status;
        var isUp = status.State is UpstreamState.Live or UpstreamState.Failing;
        return new SourceHealth(name, upstream.Options.Url.ToString(), isUp, Kebab.Of(status.State), status.Since, status.Why);
    }

    /// <summary>Whether it may answer, as far as is known.</summary>
    [JsonIgnore]
    public bool MayAnswer => State is not "away";
}

/// <summary>A rule of the policy.</summary>
/// <param name="Match">Of which names; <c>*</c> for all that no other matches.</param>
/// <param name="Rule">Who must agree.</param>
/// <param name="IsReachable">Whether those who can be heard are enough.</param>
internal sealed record RuleHealth(string Match, string Rule, bool IsReachable);

/// <summary>How the proxy fares, at one moment.</summary>
/// <param name="Logs">The logs.</param>
/// <param name="Caches">The signed caches that vote.</param>
/// <param name="Upstreams">Where NARs come from.</param>
/// <param name="Rules">The policy's rules, the one for all other names last.</param>
/// <param name="CanDecide">Whether a decision can be made at all: that last rule can be met (in report mode: the fallback is up), and an
/// upstream is there.</param>
internal sealed record ProxyHealth(IReadOnlyList<LogStatus> Logs, IReadOnlyList<SourceHealth> Caches, IReadOnlyList<SourceHealth> Upstreams,
    IReadOnlyList<RuleHealth> Rules, bool CanDecide)
{
    public static ProxyHealth Of(ProxyParts parts)
    {
        var logs = LogsOf(parts);
        var caches = parts.CacheSources.Select(cache => SourceHealth.Of(cache.Elector.Name, cache.Source)).ToList();
        var upstreams = parts.Upstreams.Select(upstream => SourceHealth.Of(upstream.Options.Name, upstream)).ToList();
        var heard = logs.Where(log => log.IsHeard).Select(log => log.Name)
            .Concat(caches.Where(cache => cache.MayAnswer).Select(cache => cache.Name)).ToHashSet();
        var operators = parts.Policy.Electors.Where(elector => heard.Contains(elector.Name)).Select(elector => elector.Operator)
            .ToHashSet();
        var rules = parts.Policy.Scopes.Append(parts.Policy.Rest)
            .Select(scope => new RuleHealth(scope.Match ?? "*", scope.Rule.ToString(), scope.Rule.IsMetBy(operators))).ToList();
        var isRuleMet = parts.Policy.Fallback is { } fallback ? heard.Contains(fallback) : rules[^1].IsReachable;
        return new ProxyHealth(logs, caches, upstreams, rules, isRuleMet && upstreams.Any(upstream => upstream.MayAnswer));
    }

    /// <summary>What <c>/readyz</c> says.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(
        new ToldHealth(CanDecide, Logs.Select(log => new ToldLogHealth(
            log.Name, Kebab.Of(log.Health), log.IsHeard, log.State, log.Size, log.SeenAt, log.GrownAt)), Caches, Upstreams, Rules),
        ToldHealthJson.Default.ToldHealth);

    private static IReadOnlyList<LogStatus> LogsOf(ProxyParts parts)
    {
        try
        {
            return parts.Register.List();
        }
        catch (SqliteException exception)
        {
            // Decisions go on without the disk, on what this process has seen.
            return [.. parts.Logs.Select(log => new LogStatus(
                log.Name, log.Source, log.Head?.Content.TreeSize, null, null,
                    $"unknown: the state database refuses reads ({exception.Message})",
                log.IsFrozen ? LogHealth.Frozen : log.Head is null ? LogHealth.Unseen : LogHealth.Live, []))];
        }
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

/// <summary>Looks how the proxy fares; who asks within a second of another is told the same.</summary>
/// <param name="parts">What decides at the moment.</param>
/// <param name="time">The clock.</param>
internal sealed class HealthCheck(Func<ProxyParts> parts, TimeProvider time)
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(1);

    private readonly Lock _looking = new();
    private (ProxyHealth Health, long At)? _last;

    /// <summary>How it fares now.</summary>
    public ProxyHealth Look()
    {
        lock (_looking)
        {
            if (_last is not { } last || time.GetElapsedTime(last.At) > Freshness)
            {
                _last = last = (ProxyHealth.Of(parts()), time.GetTimestamp());
            }

            return last.Health;
        }
    }
}
