using System.Text.Json;
using System.Text.Json.Nodes;

namespace TrustixProxy.EndToEnd;

/// <summary>What doctor says of a closure that a real Nix has installed.</summary>
[Collection(NixLabCollection.Name)]
public sealed class DoctorTests(NixLab lab)
{
    [Fact]
    public async Task A_closure_on_which_the_logs_agree_is_well_and_what_is_installed_otherwise_than_they_prove_is_not()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        var configuration = new JsonObject();
        await using var proxy = await lab.StartProxyAsync(
            TimeSpan.FromSeconds(3), config => configuration = config.DeepClone().AsObject(), cache.Url);
        var file = Path.Combine(lab.Directory, "doctor.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString());
        var sick = lab.Outputs["sick"];
        await lab.SubmitForgedAsync("alice", sick);
        await lab.SubmitForgedAsync("bob", sick);

        var well = await ExplainAsync(file, lab.Top.Absolute, "--json");
        var unwell = await ExplainAsync(file, sick.Absolute);

        Assert.True(well.Code is 0, well.ToString());
        Assert.Equal(
            lab.Closure.Count, JsonDocument.Parse(well.Output).RootElement.GetProperty("outcomes").GetProperty("agreed").GetInt32());
        Assert.True(unwell.Code is 1, unwell.ToString());
        Assert.Contains($"INSTALLED DIFFERS {sick.Absolute}", unwell.Output, StringComparison.Ordinal);
    }

    private Task<Result> ExplainAsync(string configuration, params string[] arguments) =>
        Daemon.RunAsync(["doctor", "--config", configuration, .. arguments], lab.Environment("builder", []));
}
