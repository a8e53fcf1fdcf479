using System.Text.Json.Nodes;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>Real clients get from the proxy what is in a bucket of an S3 server of others.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class BucketTests(ClientLab lab)
{
    [BucketFact]
    public async Task A_closure_comes_out_of_a_bucket_to_which_requests_are_signed()
    {
        await using var server = await MotoServer.StartAsync(lab.Directory);
        await server.FillAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(configuration => configuration["upstreams"] = new JsonArray(new JsonObject
        {
            ["name"] = "bucket",
            ["url"] = $"s3://{MotoServer.Name}?endpoint={server.Address}&scheme=http&region=us-east-1",
            ["credentialsFile"] = WriteKey(server),
        }));

        foreach (var client in NixClient.AtHand)
        {
            var machine = Machine.Substituting(client.Version, "bucket", proxy.Url, proxy.PublicKey);
            (await lab.RunAsync(machine, "nix-store", "-r", lab.Outputs["top"].Absolute)).OrThrow();
            await lab.AssertVerifiedAsync(machine, lab.Closure);
        }

        Assert.DoesNotContain(server.Key.SecretAccessKey, proxy.Lines, StringComparison.Ordinal);
    }

    [BucketFact]
    public async Task What_one_replica_fetched_another_serves_out_of_the_shared_bucket_when_no_upstream_is_left()
    {
        await using var server = await MotoServer.StartAsync(lab.Directory);
        var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var first = await lab.StartProxyAsync(configuration => Share(configuration, server), cache.Url);
        await using var second = await lab.StartProxyAsync(configuration => Share(configuration, server), cache.Url);
        var client = NixClient.AtHand[^1].Version;
        var one = Machine.Substituting(client, "shares", first.Url, first.PublicKey);
        (await lab.RunAsync(one, "nix-store", "-r", lab.Outputs["top"].Absolute)).OrThrow();
        await Eventually.UntilAsync(async () =>
        {
            var names = (await server.Bucket.ListAsync(default)).Select(entry => entry.Name).ToHashSet();
            return lab.Closure.All(path => names.Contains($"shared/{path.Digest}.narinfo"));
        });
        await cache.DisposeAsync();

        var two = Machine.Substituting(client, "served", second.Url, second.PublicKey);
        (await lab.RunAsync(two, "nix-store", "-r", lab.Outputs["top"].Absolute)).OrThrow();

        await lab.AssertVerifiedAsync(two, lab.Closure);
    }

    private void Share(JsonObject configuration, MotoServer server) => configuration["narStore"] = new JsonObject
    {
        ["s3"] = new JsonObject
        {
            ["url"] = $"http://{server.Address}",
            ["bucket"] = MotoServer.Name,
            ["prefix"] = "shared",
            ["credentialsFile"] = WriteKey(server),
        },
    };

    private string WriteKey(MotoServer server)
    {
        var file = Path.Combine(lab.Directory, $"{Guid.NewGuid():n}.aws");
        File.WriteAllText(file,
            $"[default]\naws_access_key_id = {server.Key.AccessKeyId}\naws_secret_access_key = {server.Key.SecretAccessKey}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }
}
