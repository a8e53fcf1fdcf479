using TrustixProxy.Consensus;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>An upstream that sent another NAR than its narinfo names is shown to people.</summary>
public sealed class RefusedNarTests
{
    private readonly NixSecretKey _key = NixSecretKey.Generate("builder-1");

    [Fact]
    public async Task It_is_shown_with_both_hashes_on_the_dashboard_and_to_explain_and_doctor_while_the_client_gets_the_right_nar()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        byte[] other = [.. output.Nar];
        other[other.Length / 2] ^= 1;
        proxy.Upstream().AddFile("/" + output.NarInfo("none").Url, other);

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));

        using var explainer = new Explainer(proxy.Options!);
        var refused = Assert.Single(await explainer.FindRefusedNarsAsync(output.Path, CancellationToken.None));
        Assert.Equal(("main", output.Path.ToString(), 1), (refused.Upstream, refused.Path, refused.Times));
        Assert.Equal((output.Statement.NarHash.ToString(), NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(other)).ToString()),
            (refused.Agreed, refused.Sent));
        Assert.Empty(await explainer.FindRefusedNarsAsync(TestOutput.PathOf("another"), CancellationToken.None));
        Assert.Single(await explainer.FindRefusedNarsAsync(null, CancellationToken.None));
        var page = await proxy.Client.GetStringAsync(new Uri(proxy.OperationsUrl, "/conflicts"));
        Assert.Contains(refused.Sent!, page, StringComparison.Ordinal);
        Assert.Contains("nar-hash", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_running_proxy_there_are_none()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        await proxy.StopAsync();
        using var explainer = new Explainer(proxy.Options!);

        Assert.Empty(await explainer.FindRefusedNarsAsync(null, CancellationToken.None));
    }

    [Fact]
    public void They_are_bounded_and_each_upstream_and_path_is_one()
    {
        var refused = new RefusedNars(new ManualTime());
        var (output, again) = (TestOutput.Make(), TestOutput.Make("again"));
        for (var i = 0; i < 2 * RefusedNars.Most; i++)
        {
            refused.Add("main", ClaimOf(TestOutput.Make($"x-{i}")), NarFault.TooLong, null);
        }

        refused.Add("main", ClaimOf(output), NarFault.NarHash, null);
        refused.Add("main", ClaimOf(again), NarFault.Unreachable, null); // that says nothing of its content
        refused.Add("main", ClaimOf(output), NarFault.NarHash, null);

        Assert.Equal(RefusedNars.Most, refused.List().Count);
        Assert.Equal((output.Path.ToString(), 2), (refused.List()[0].Path, refused.List()[0].Times));
        Assert.DoesNotContain(refused.List(), nar => nar.Path == again.Path.ToString());
    }

    private OutputClaim ClaimOf(TestOutput output)
    {
        var narInfo = output.NarInfo("none");
        Assert.True(OutputClaim.TryReadSigned(
            narInfo with { Signatures = [_key.Sign(narInfo.Fingerprint)] }, [_key.PublicKey], out var claim, out _));
        return claim;
    }
}
