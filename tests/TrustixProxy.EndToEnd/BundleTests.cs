using System.Text.Json.Nodes;
using TrustixProxy.Testing;

namespace TrustixProxy.EndToEnd;

/// <summary>What the running proxy keeps of a decision over real logs, judged again by a process of its own that has no network.</summary>
[Collection(NixLabCollection.Name)]
public sealed class BundleTests(NixLab lab)
{
    [Fact]
    public async Task A_bundle_of_the_running_proxy_is_verified_without_a_network_and_no_longer_when_a_vote_is_changed()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        var (operations, configuration) = ($"http://127.0.0.1:{Balancer.FreePort()}", new JsonObject());
        await using var proxy = await lab.StartProxyAsync(
            TimeSpan.FromSeconds(3),
            config =>
            {
                config["operations"] = new JsonObject { ["listen"] = new JsonArray(operations) };
                configuration = config.DeepClone().AsObject();
            },
            cache.Url);
        var (policy, bundle) = (Path.Combine(lab.Directory, "bundle-policy.json"), Path.Combine(lab.Directory, "bundle.json"));
        await File.WriteAllTextAsync(policy, configuration.ToJsonString());
        Assert.Equal("agreed", (await proxy.AskAsync($"{lab.Top.Digest}.narinfo")).Decision);
        using var client = new HttpClient();
        var json = await client.GetStringAsync(new Uri($"{operations}/decisions/{lab.Top.Digest}"));
        var metrics = await client.GetStringAsync(new Uri($"{operations}/metrics"));

        await File.WriteAllTextAsync(bundle, json);
        var honest = await VerifyOfflineAsync(bundle, policy);
        await File.WriteAllTextAsync(bundle, json.Replace("\"elector\":\"alice\"", "\"elector\":\"Alice\"", StringComparison.Ordinal));
        var changed = await VerifyOfflineAsync(bundle, policy);

        Assert.True(honest.Code is 0, honest.ToString());
        Assert.Contains("trustix_proxy_decisions_total{outcome=\"agreed\",verdict=\"agreed\"} ", metrics, StringComparison.Ordinal);
        Assert.Equal(1, changed.Code);
    }

    private static async Task<Result> VerifyOfflineAsync(string bundle, string policy)
    {
        string[] verify = [.. Executable.Command, "verify", bundle, "--policy", policy], alone = ["unshare", "--map-root-user", "--net"];
        var canBeAlone = (await Shell.RunAsync(alone[0], [.. alone[1..], "true"])).Code is 0;
        string[] command = canBeAlone ? [.. alone, .. verify] : verify;
        return await Shell.RunAsync(command[0], command[1..]);
    }
}
