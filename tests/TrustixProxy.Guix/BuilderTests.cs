using TrustixProxy.Testing;

namespace TrustixProxy.Guix;

/// <summary>From a build by a real guix-daemon to another machine's store: published, logged, agreed on with a farm, substituted.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class BuilderTests(GuixLab lab)
{
    [GuixFact]
    public async Task What_a_builder_published_is_substituted_where_a_farm_built_the_same()
    {
        await using var log = await BuildLog.StartAsync(lab.Directory);
        var builder = lab.NewMachine("dora");
        await builder.StartDaemonAsync();
        await builder.BuildAsync("before-1.0", "echo > $out");
        var nothing = await log.PublishAsync(builder); // what was built before is not published
        var large = (await builder.BuildAsync("large-1.0", Farm.ScriptOf("large-1.0"))).Output;
        var odd = (await builder.BuildAsync("odd-1.0", Farm.ScriptOf("odd-1.0"))).Output;

        var published = await log.PublishAsync(builder);
        await using var proxy = await StartProxyAsync(log);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(large)).Status is 200);
        (await client.RunAsync("guix", "build", large)).OrThrow();
        await client.RunAsync("guix", "build", odd);

        Assert.StartsWith("published 0 paths, ", nothing.OrThrow().Output, StringComparison.Ordinal);
        // neither the derivations nor the shell, which is a source
        Assert.StartsWith("published 2 paths, 0 excluded; 0 jobs given up", published.OrThrow().Output, StringComparison.Ordinal);
        Assert.Equal((true, false), (await client.IsValidAsync(large), client.Has(odd)));
        Assert.Equal("conflict", (await proxy.AskAsync(odd)).Decision);
    }

    [GuixFact]
    public async Task What_was_substituted_first_or_again_after_its_build_is_not_published()
    {
        await using var log = await BuildLog.StartAsync(lab.Directory);
        var builder = lab.NewMachine("erin");
        await builder.AuthorizeAsync(lab.Alice.PublicKey);
        await builder.StartDaemonAsync(lab.Alice.Url);
        await builder.BuildAsync("before-1.0", "echo > $out");
        (await log.PublishAsync(builder)).OrThrow();
        var (derivation, large) = await builder.BuildAsync("large-1.0", Farm.ScriptOf("large-1.0"));

        var substituted = await log.PublishAsync(builder);
        await CollectAsync(builder, large);
        (await builder.RunAsync("guix", "build", "--no-substitutes", derivation)).OrThrow();
        var built = await log.PublishAsync(builder);
        await CollectAsync(builder, large);
        (await builder.RunAsync("guix", "build", large)).OrThrow();
        var again = await log.PublishAsync(builder);

        Assert.True(await builder.IsValidAsync(large));
        Assert.Equal(
            ["published 0 paths", "published 1 path", "published 0 paths"],
            new[] { substituted, built, again }.Select(result => result.OrThrow().Output.Split(',')[0]));
    }

    [GuixFact]
    public async Task A_closure_submitted_by_hand_votes_for_all_that_a_client_needs()
    {
        await using var log = await BuildLog.StartAsync(lab.Directory);
        var hello = lab.Bob.Outputs["hello-1.0"];

        var built = await lab.Bob.Machine.RunVerbAsync(["log", "submit-closure", hello, .. log.Arguments]);
        var all = await lab.Bob.Machine.RunVerbAsync(["log", "submit-closure", hello, "--all", .. log.Arguments]);
        await using var proxy = await StartProxyAsync(log);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(hello)).Status is 200);
        (await client.RunAsync("guix", "build", hello)).OrThrow();

        Assert.True((built.Code, all.Code) is (0, 0), $"{built}\n{all}");
        Assert.StartsWith("submitted 1 path; skipped 1 not built here", built.Output, StringComparison.Ordinal); // the shell is a source
        Assert.StartsWith("submitted 2 paths; skipped 0 not built here", all.Output, StringComparison.Ordinal);
        Assert.True(await client.IsValidAsync(hello));
    }

    [GuixFact]
    public async Task Diff_compares_the_machines_own_output_with_a_farms()
    {
        await using var proxy = await GuixProxy.StartAsync(lab.Directory, [(lab.Alice.Url, lab.Alice.PublicKey)]);
        var (hello, odd) = (lab.Bob.Outputs["hello-1.0"], lab.Bob.Outputs["odd-1.0"]);

        var same = await lab.Bob.Machine.RunVerbAsync("diff", hello, "--between", "farm0", "local", "--config", proxy.Configuration);
        var other = await lab.Bob.Machine.RunVerbAsync(
            "diff", Path.GetFileName(odd), "--between", "farm0", "local", "--config", proxy.Configuration);

        Assert.True((same.Code, other.Code) is (0, 1), $"{same}\n{other}");
        Assert.StartsWith($"{odd}\na is farm0: sha256:", other.Output, StringComparison.Ordinal);
        Assert.Contains("\nchanged text: file of 6 bytes → file of 4 bytes\n", other.Output, StringComparison.Ordinal);
        Assert.Contains("\n    -alice\n    +bob\n", other.Output, StringComparison.Ordinal);
    }

    [GuixFact]
    public async Task The_files_of_a_real_farm_are_audited_in_the_form_that_its_narinfo_names()
    {
        var farm = await lab.Alice.Machine.PublishAsync("-C", "lzip");
        var key = await File.ReadAllTextAsync(lab.Alice.Machine.PathOf("etc/signing-key.pub"));
        string[] demands = ["--closure", lab.Alice.Outputs["hello-1.0"], "--store", "/gnu/store", "--references"];

        var good = await Daemon.RunAsync(["audit-cache", farm, .. demands, "--public-key", key]);
        var other = await Daemon.RunAsync(["audit-cache", farm, .. demands, "--public-key", lab.Bob.PublicKey]);

        Assert.True((good.Code, other.Code) is (0, 1), $"{good}\n{other}");
        Assert.Matches(": 2 paths\n  right +2\n$", good.Output);
        Assert.Equal(2, other.Output.Split("\n  signature: ").Length - 1);
    }

    private Task<GuixProxy> StartProxyAsync(BuildLog log) =>
        GuixProxy.StartAsync(lab.Directory, [(lab.Alice.Url, lab.Alice.PublicKey)], log.AddTo);

    private static async Task CollectAsync(Machine machine, string path)
    {
        (await machine.RunAsync("guix", "gc", "--delete", path)).OrThrow();
        Assert.False(machine.Has(path));
    }
}
