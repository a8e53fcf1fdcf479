using System.Text;

namespace TrustixProxy.Guix;

/// <summary>A real client that trusts the proxy's key alone gets what both farms agree on, and nothing else.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class ThroughTests(GuixLab lab)
{
    [GuixFact]
    public async Task What_both_farms_built_alike_is_substituted()
    {
        await using var proxy = await lab.StartProxyAsync();
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var outputs = new[] { lab.Alice.Outputs["hello-1.0"], lab.Alice.Outputs["large-1.0"] };

        (await client.RunAsync(["guix", "build", .. outputs])).OrThrow();

        Assert.True(await client.IsValidAsync(outputs));
        Assert.Equal(await File.ReadAllBytesAsync(lab.Alice.Machine.StoreFile(outputs[1])),
            await File.ReadAllBytesAsync(client.StoreFile(outputs[1])));
    }

    [GuixFact]
    public async Task What_they_built_differently_is_not_substituted_and_is_built()
    {
        await using var proxy = await lab.StartProxyAsync();
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var odd = lab.Alice.Outputs["odd-1.0"];

        await client.RunAsync("guix", "build", odd);
        var wasSubstituted = client.Has(odd);
        var built = await client.BuildAsync("odd-1.0", Farm.ScriptOf("odd-1.0"));

        Assert.Equal("conflict", (await proxy.AskAsync(odd)).Decision);
        Assert.Equal((false, odd, true), (wasSubstituted, built.Output, client.Has(odd)));
    }

    [GuixFact]
    public async Task While_a_farm_is_down_nothing_is_substituted()
    {
        await using var relay = await FarmRelay.StartAsync(lab.Bob);
        relay.IsDown = true;
        await using var proxy = await lab.StartProxyAsync(bob: relay.Url);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var hello = lab.Alice.Outputs["hello-1.0"];

        await client.RunAsync("guix", "build", hello);

        Assert.Equal((404, "undecided"), ((await proxy.AskAsync(hello)).Status, (await proxy.AskAsync(hello)).Decision));
        Assert.False(client.Has(hello));
    }

    [GuixTheory]
    [InlineData("NarHash: sha256:0", "NarHash: sha256:1")]
    [InlineData("NarSize: ", "NarSize: 1")]
    [InlineData("Signature: 1;bob;", "Signature: 1;bob;KHNpZ25h")]
    [InlineData("StorePath: ", "StorePath: /gnu/store/00000000000000000000000000000000-x\nStorePath: ")]
    public async Task A_narinfo_that_was_changed_on_its_way_is_no_vote(string before, string after)
    {
        await using var relay = await FarmRelay.StartAsync(lab.Bob);
        relay.Change = (path, body) => path.EndsWith(".narinfo", StringComparison.Ordinal)
            ? Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(body).Replace(before, after, StringComparison.Ordinal)) : body;
        await using var proxy = await lab.StartProxyAsync(bob: relay.Url);

        Assert.Equal("undecided", (await proxy.AskAsync(lab.Alice.Outputs["large-1.0"])).Decision);
        Assert.NotEmpty(relay.Requests);
    }

    [GuixFact]
    public async Task A_signed_field_below_the_signature_is_no_vote()
    {
        await using var relay = await FarmRelay.StartAsync(lab.Bob);
        relay.Change = (path, body) =>
        {
            var lines = Encoding.ASCII.GetString(body).Split('\n').ToList();
            if (path.EndsWith(".narinfo", StringComparison.Ordinal))
            {
                var size = lines.Single(line => line.StartsWith("NarSize: ", StringComparison.Ordinal));
                lines.Remove(size);
                lines.Insert(lines.FindIndex(line => line.StartsWith("Signature: ", StringComparison.Ordinal)) + 1, size);
            }

            return path.EndsWith(".narinfo", StringComparison.Ordinal) ? Encoding.ASCII.GetBytes(string.Join('\n', lines)) : body;
        };
        await using var proxy = await lab.StartProxyAsync(bob: relay.Url);

        Assert.Equal("undecided", (await proxy.AskAsync(lab.Alice.Outputs["hello-1.0"])).Decision);
    }

    [GuixTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_corrupt_or_cut_nar_of_one_farm_is_taken_from_the_other(bool isCut)
    {
        await using var relay = await FarmRelay.StartAsync(lab.Alice);
        relay.Change = (path, body) => !path.StartsWith("/nar/", StringComparison.Ordinal) ? body
            : isCut ? body[..(body.Length / 2)]
            : [.. body[..(body.Length / 2)], (byte)(body[body.Length / 2] ^ 1), .. body[((body.Length / 2) + 1)..]];
        await using var proxy = await lab.StartProxyAsync(alice: relay.Url);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var large = lab.Alice.Outputs["large-1.0"];

        // Guix 1.5 asks again when a NAR breaks off; 1.2 leaves that to its user.
        if (await client.RunAsync("guix", "build", large) is { Code: not 0 })
        {
            (await client.RunAsync("guix", "build", large)).OrThrow();
        }

        Assert.True(await client.IsValidAsync(large));
        Assert.Contains(relay.Requests, path => path.StartsWith("/nar/", StringComparison.Ordinal));
    }

    [GuixFact]
    public async Task What_is_revoked_is_not_substituted()
    {
        await using var proxy = await lab.StartProxyAsync();
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var hello = lab.Alice.Outputs["hello-1.0"];
        var nar = (await proxy.AskAsync(hello)).Text.Split('\n').Single(line => line.StartsWith("URL: ", StringComparison.Ordinal))[5..];
        Assert.Equal(200, (await proxy.AskPathAsync(nar)).Status);

        (await Daemon.RunAsync(["revoke", hello, "--reason", "test", "--config", proxy.Configuration])).OrThrow();
        await client.RunAsync("guix", "build", hello);

        Assert.Equal((404, "revoked"), ((await proxy.AskPathAsync(nar)).Status, (await proxy.AskAsync(hello)).Decision));
        Assert.False(client.Has(hello));
    }

    [GuixFact]
    public async Task Beside_the_farms_the_proxy_decides_and_the_nars_come_from_a_farm()
    {
        await using var relay = await FarmRelay.StartAsync(lab.Alice);
        await using var proxy = await lab.StartProxyAsync();
        var client = await lab.StartClientAsync([relay.Url, lab.Bob.Url, proxy.Url], proxy.PublicKey);
        var (hello, odd) = (lab.Alice.Outputs["hello-1.0"], lab.Alice.Outputs["odd-1.0"]);

        await client.RunAsync("guix", "build", hello);
        await client.RunAsync("guix", "build", odd);

        Assert.Equal((true, false), (client.Has(hello), client.Has(odd)));
        Assert.Contains(relay.Requests, path => path.StartsWith("/nar/", StringComparison.Ordinal));
    }

    [GuixFact]
    public async Task Guix_challenge_compares_local_builds_with_the_vote()
    {
        await using var both = await lab.StartProxyAsync();
        await using var alone = await GuixProxy.StartAsync(lab.Directory, [(lab.Alice.Url, lab.Alice.PublicKey)]);
        var (hello, odd) = (lab.Alice.Outputs["hello-1.0"], lab.Alice.Outputs["odd-1.0"]);

        var same = await ChallengeAsync(lab.Bob.Machine, both, hello);
        var none = await ChallengeAsync(lab.Bob.Machine, both, odd);
        var other = await ChallengeAsync(lab.Bob.Machine, alone, odd);

        Assert.Equal((0, 1, 2), (same.Code, none.Code, other.Code));
    }

    /// <summary>The options of <c>guix publish</c>; zstd where its Guix has it.</summary>
    public static TheoryData<string> Forms =>
    [
        .. new[] { "gzip", "lzip", "zstd", "0" }.Where(form => form is not "zstd" || GuixFolder.HasZstd)
            .SelectMany(form => new[] { $"-C {form}", $"--cache=/var/guix/cache-{form} -C {form}" }),
        GuixFolder.HasZstd ? "-C gzip -C lzip -C zstd" : "-C gzip -C lzip",
    ];

    [GuixTheory]
    [MemberData(nameof(Forms))]
    public async Task Every_form_that_a_real_farm_serves_is_read(string options)
    {
        var farm = lab.Alice.Machine;
        await using var proxy = await GuixProxy.StartAsync(
            lab.Directory, [(await farm.PublishAsync(options.Split(' ')), lab.Alice.PublicKey)]);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var large = lab.Alice.Outputs["large-1.0"];

        // A farm with a cache has it baked a moment after the first question.
        await Testing.Eventually.UntilAsync(async () => (await proxy.AskAsync(large)).Status is 200);
        (await client.RunAsync("guix", "build", large)).OrThrow();

        Assert.True(await client.IsValidAsync(large));
    }

    private static Task<Result> ChallengeAsync(Machine machine, GuixProxy proxy, string path) =>
        machine.RunAsync("guix", "challenge", "--diff=none", $"--substitute-urls={proxy.Url}", path);
}
