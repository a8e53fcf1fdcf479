using TrustixProxy.Nix;

namespace TrustixProxy.Guix;

/// <summary>What doctor says of a real client: the keys that it believes, and what it has installed.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class DoctorTests(GuixLab lab)
{
    [GuixFact]
    public async Task A_key_of_the_clients_list_that_bypasses_the_vote_is_named_and_without_it_the_client_is_well()
    {
        await using var proxy = await lab.StartProxyAsync();
        var (well, unwell) = (lab.NewMachine("well"), lab.NewMachine("unwell"));
        await well.AuthorizeAsync(proxy.PublicKey);
        await unwell.AuthorizeAsync(proxy.PublicKey, lab.Alice.PublicKey);
        await unwell.StartDaemonAsync(proxy.Url, lab.Alice.Url);
        var odd = lab.Alice.Outputs["odd-1.0"];

        var good = await DoctorAsync(proxy, well.PathOf("etc/acl"));
        var bad = await DoctorAsync(proxy, unwell.PathOf("etc/acl"));
        await unwell.RunAsync("guix", "build", odd);

        Assert.True((good.Code, bad.Code) is (0, 1), $"{good}\n{bad}");
        Assert.Contains("has the proxy's key, and none that bypasses the vote", good.Output, StringComparison.Ordinal);
        Assert.True(GuixPublicKey.TryParse(lab.Alice.PublicKey, out var alice, out _));
        Assert.Contains($"BYPASSES THE VOTE {alice} of farm0: ", bad.Output, StringComparison.Ordinal);
        // what doctor warns of: the farms built it differently, and the client took what one of them signed
        Assert.Equal(("conflict", true), ((await proxy.AskAsync(odd)).Decision, unwell.Has(odd)));
    }

    [GuixFact]
    public async Task The_list_that_the_package_brings_believes_the_official_farms_and_not_the_proxy()
    {
        await using var proxy = await lab.StartProxyAsync();

        var (code, output, error) = await DoctorAsync(proxy, Path.Combine(GuixFolder.AtHand!.Value.Folder, "etc/guix/acl"));

        Assert.True(code is 1, error);
        Assert.Contains("(q #8D156F295D24B0D9A86FA5741A840FF2D24F60F7B6C4134814AD55625971B394#)", output, StringComparison.Ordinal);
        Assert.Contains("lacks the proxy's key", output, StringComparison.Ordinal);
    }

    [GuixFact]
    public async Task What_is_installed_otherwise_than_a_farm_proves_is_found()
    {
        await using var proxy = await GuixProxy.StartAsync(lab.Directory, [(lab.Alice.Url, lab.Alice.PublicKey)]);
        var (hello, odd) = (lab.Bob.Outputs["hello-1.0"], lab.Bob.Outputs["odd-1.0"]);

        var well = await lab.Bob.Machine.RunVerbAsync("doctor", hello, "--config", proxy.Configuration);
        var unwell = await lab.Bob.Machine.RunVerbAsync("doctor", odd, "--config", proxy.Configuration);

        Assert.True((well.Code, unwell.Code) is (0, 1), $"{well}\n{unwell}");
        Assert.StartsWith("2 paths, 2 of them installed\n  agreed                   2\n", well.Output, StringComparison.Ordinal);
        Assert.Contains($"INSTALLED DIFFERS {odd} (agreed): ", unwell.Output, StringComparison.Ordinal);
    }

    private async Task<Result> DoctorAsync(GuixProxy proxy, string acl) => await lab.Bob.Machine.RunVerbAsync(
        "doctor", lab.Bob.Outputs["large-1.0"], "--acl", acl, "--config", proxy.Configuration);
}
