using System.Text.Json;

namespace TrustixProxy.Guix;

/// <summary>The planned change of the proxy's key. A client of Guix believes the first signature of a narinfo only, so it must know both
/// keys while the proxy changes.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class RotationTests(GuixLab lab)
{
    [GuixFact]
    public async Task A_client_that_knows_both_keys_sees_no_gap_and_one_that_knows_the_old_one_alone_does()
    {
        var state = Directory.CreateDirectory(Path.Combine(lab.Directory, $"rotation-{Guid.NewGuid():n}")).FullName;
        (string Url, string Key)[] farms = [(lab.Alice.Url, lab.Alice.PublicKey), (lab.Bob.Url, lab.Bob.PublicKey)];
        var (hello, large) = (lab.Alice.Outputs["hello-1.0"], lab.Alice.Outputs["large-1.0"]);
        string url, oldKey, oldFile;
        Machine prepared, unprepared;
        await using (var before = await GuixProxy.StartAsync(
            lab.Directory, farms, configuration => configuration["stateDirectory"] = state))
        {
            (url, oldKey, oldFile) = (before.Url, before.PublicKey, before.SigningKey);
            prepared = await lab.StartClientAsync([url], oldKey);
            unprepared = await lab.StartClientAsync([url], oldKey);
            (await prepared.RunAsync("guix", "build", hello)).OrThrow();
            (await unprepared.RunAsync("guix", "build", hello)).OrThrow();
            Assert.True(prepared.Has(hello) && unprepared.Has(hello));
        }

        await using var after = await GuixProxy.StartAsync(lab.Directory, farms, configuration =>
        {
            configuration["stateDirectory"] = state;
            configuration["listen"] = JsonSerializer.SerializeToNode(new[] { url });
            configuration["previousSigningKeyFiles"] = JsonSerializer.SerializeToNode(new[] { oldFile });
        });
        await prepared.AddKeyAsync(after.PublicKey);
        (await prepared.RunAsync("guix", "build", large)).OrThrow();
        await unprepared.RunAsync("guix", "build", large);

        Assert.NotEqual(oldKey, after.PublicKey);
        Assert.Equal((true, false), (await prepared.IsValidAsync(large), unprepared.Has(large)));
        Assert.Equal(200, (await after.AskAsync(hello)).Status); // decided before, signed anew
        await prepared.AuthorizeAsync(after.PublicKey);
        (await prepared.RunAsync("guix", "gc", "--delete", large)).OrThrow();
        (await prepared.RunAsync("guix", "build", large)).OrThrow();
        Assert.True(await prepared.IsValidAsync(large));
    }
}
