namespace TrustixProxy.Guix;

/// <summary>The real Guix without the proxy: what the other tests rest on.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class FarmTests(GuixLab lab)
{
    [GuixFact]
    public async Task Two_farms_that_build_on_their_own_build_alike_and_one_derivation_differs()
    {
        using var client = new HttpClient();
        var (equal, different) = (new List<string>(), new List<string>());
        foreach (var (name, output) in lab.Alice.Outputs)
        {
            Assert.Equal(output, lab.Bob.Outputs[name]);
            var hashes = new List<string>();
            foreach (var farm in new[] { lab.Alice, lab.Bob })
            {
                var text = await client.GetStringAsync(new Uri($"{farm.Url}/{Path.GetFileName(output)[..32]}.narinfo"));
                hashes.Add(text.Split('\n').Single(line => line.StartsWith("NarHash: ", StringComparison.Ordinal)));
            }

            (hashes[0] == hashes[1] ? equal : different).Add(name);
        }

        Assert.Equal(["hello-1.0", "large-1.0"], equal.Order());
        Assert.Equal(["odd-1.0"], different);
    }

    [GuixFact]
    public async Task A_client_substitutes_what_a_farm_that_it_trusts_has_signed_and_nothing_else()
    {
        var trusting = await lab.StartClientAsync([lab.Alice.Url], lab.Alice.PublicKey);
        var other = await lab.StartClientAsync([lab.Alice.Url], lab.Bob.PublicKey);
        var hello = lab.Alice.Outputs["hello-1.0"];

        (await trusting.RunAsync("guix", "build", hello)).OrThrow();
        await other.RunAsync("guix", "build", hello);

        Assert.Equal((true, false), (await trusting.IsValidAsync(hello), await other.IsValidAsync(hello)));
        Assert.StartsWith("hello from /gnu/store/", await File.ReadAllTextAsync(Path.Combine(trusting.StoreFile(hello), "text")),
            StringComparison.Ordinal);
    }
}
