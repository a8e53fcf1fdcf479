using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Redis;

/// <summary>Each replica has a work list of its own.</summary>
public sealed class WantedReplicaTests
{
    [Fact]
    public async Task A_replica_lists_only_what_its_own_clients_asked_for()
    {
        await using var lab = await ReplicaLab.StartAsync(outputs: 0);
        var output = TestOutput.Make();
        lab.Upstream.Add(output);
        lab.Logs["alice"].Publish(output.Statement);

        Assert.Null(await lab.Replicas[0].NarInfoAsync(output));

        Assert.Equal([output.Path.Absolute], await WantedAsync(lab.Replicas[0]));
        Assert.Empty(await WantedAsync(lab.Replicas[1]));
    }

    private static async Task<IReadOnlyList<string>> WantedAsync(Replica replica)
    {
        using var json = JsonDocument.Parse((await replica.RunAsync("wanted", "--json")).OrThrow().Output);
        return [.. json.RootElement.GetProperty("wanted").EnumerateArray().Select(entry => entry.GetProperty("storePath").GetString()!)];
    }
}
