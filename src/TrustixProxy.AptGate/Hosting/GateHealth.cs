using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>A server that the gate asks.</summary>
/// <param name="State"><c>unknown</c>, <c>live</c>, <c>failing</c> or <c>away</c>.</param>
/// <param name="Since">Start of failing or away; null otherwise.</param>
/// <param name="Why">First cause and remedy; null otherwise.</param>
internal sealed record PeerHealth(string Name, string Url, string State, DateTimeOffset? Since, string? Why)
{
    /// <summary>Whether it is expected to answer.</summary>
    [JsonIgnore]
    public bool MayAnswer => State is not "away";

    public static PeerHealth Of(Upstream upstream)
    {
        var status = upstream.Health.Status;
        return new PeerHealth(
            upstream.Options.Name, upstream.Options.Url.ToString(), Kebab.Of(status.State), status.Since, status.Why);
    }
}

/// <summary>A rule of the policy.</summary>
/// <param name="Match">Names it applies to; <c>*</c> for all others.</param>
/// <param name="IsReachable">Whether the rebuilders that may answer can meet it.</param>
internal sealed record GateRule(string Match, string Rule, bool IsReachable);

/// <summary>How the gate fares.</summary>
/// <param name="Ready">Whether packages can be decided on and fetched.</param>
/// <param name="Mode"><c>enforce</c> or <c>report</c>.</param>
internal sealed record GateHealth(
    bool Ready, string Mode, IReadOnlyList<PeerHealth> Archives, IReadOnlyList<PeerHealth> Rebuilders, IReadOnlyList<GateRule> Rules)
{
    public static GateHealth Of(GateParts parts)
    {
        var (policy, archives) = (parts.Options.Policy, parts.Archives.Select(archive => PeerHealth.Of(archive.Upstream)).ToList());
        var rebuilders = parts.Rebuilders.Select(rebuilder => PeerHealth.Of(rebuilder.Upstream)).ToList();
        var operators = parts.Rebuilders.Zip(rebuilders).Where(pair => pair.Second.MayAnswer)
            .Select(pair => pair.First.Options.Elector.Operator).ToHashSet();
        var rules = policy.Scopes.Append(policy.Rest)
            .Select(scope => new GateRule(scope.Match ?? "*", scope.Rule.ToString(), policy.IsMet(scope.Rule, operators))).ToList();
        var isReport = policy.Fallback is not null;
        return new GateHealth((isReport || rules[^1].IsReachable) && archives.Exists(archive => archive.MayAnswer),
            isReport ? "report" : "enforce", archives, rebuilders, rules);
    }

    /// <summary>Writes the answer of <c>/readyz</c>.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, GateJson.Default.GateHealth);
}

/// <summary>A Release file that an archive served, in JSON.</summary>
internal sealed record ToldRelease(string Archive, string Suite, string Sha256, DateTimeOffset SeenAt, bool Submitted);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(GateHealth))]
[JsonSerializable(typeof(IReadOnlyList<ToldRelease>))]
internal sealed partial class GateJson : JsonSerializerContext;
