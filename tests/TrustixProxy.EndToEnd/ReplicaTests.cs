namespace TrustixProxy.EndToEnd;

/// <summary>Two replicas behind a balancer, as an organisation runs them.</summary>
[Collection(NixLabCollection.Name)]
public sealed class ReplicaTests(NixLab lab)
{
    [Fact]
    public async Task Three_clients_at_once_get_their_closure_though_one_replica_of_two_is_killed_meanwhile()
    {
        var underway = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var served = 0;
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"), changeNar: nar =>
        {
            if (Interlocked.Increment(ref served) is 8)
            {
                underway.TrySetResult(); // of some 24
            }

            return nar;
        });
        var key = "";
        await using var one = await lab.StartProxyAsync(
            TimeSpan.FromSeconds(5), config => key = (string)config["signingKeyFile"]!, cache.Url);
        await using var other = await lab.StartProxyAsync(TimeSpan.FromSeconds(5), config => config["signingKeyFile"] = key, cache.Url);
        await using var balancer = await Balancer.StartAsync(Path.Combine(lab.Directory, "nginx"), one.Url, other.Url);

        var clients = Enumerable.Range(0, 3).Select(i => lab.RealiseAsync($"replica-{i}", balancer.Url, one.PublicKey, lab.Top)).ToList();
        await Task.WhenAny(underway.Task, Task.WhenAll(clients));
        Assert.True(underway.Task.IsCompleted, "the clients ended before anything was served");
        await other.KillAsync();
        var results = await Task.WhenAll(clients);

        Assert.All(results, result => Assert.True(result.Code is 0, result.ToString()));
        for (var i = 0; i < clients.Count; i++)
        {
            await lab.AssertVerifiedAsync($"replica-{i}", lab.Closure);
        }
    }
}
