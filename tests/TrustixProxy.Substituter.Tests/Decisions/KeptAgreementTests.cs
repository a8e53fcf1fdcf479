using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>A kept agreement is asked about again when its upstream is away. It ends by what speaks against it, and not by what is
/// missing.</summary>
public sealed class KeptAgreementTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_that_shows_an_old_head_takes_nothing_from_an_agreement_even_where_another_log_dissents(bool isDisputed)
    {
        var output = TestOutput.Make();
        await using var proxy = await WithTwoUpstreamsAsync(output);
        if (isDisputed)
        {
            proxy.Log("carol").Publish(output.Forge().Statement);
        }

        await proxy.StartAsync();
        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);

        proxy.Log("alice").Lie = LogLie.StaleRoot;

        await MoveUpstreamAsync(proxy, output);
        var calls = proxy.Log("bob").Calls.Count;

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
        Assert.True(proxy.Log("bob").Calls.Count > calls, "The agreement was not asked about again.");
        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task Under_a_veto_a_dissent_ends_an_agreement_that_is_asked_about_again()
    {
        var output = TestOutput.Make();
        await using var proxy = await WithTwoUpstreamsAsync(output);
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2, Dissent.Veto);
        await proxy.StartAsync();
        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);

        proxy.Log("carol").Publish(output.Forge().Statement);

        await MoveUpstreamAsync(proxy, output);
        await UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "conflict");
    }

    private static async Task<TestProxy> WithTwoUpstreamsAsync(TestOutput output)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob");
        await proxy.AddUpstreamAsync("second");
        return proxy;
    }

    /// <summary>Moves the NAR from the upstream that the kept agreement names to the other one, and waits until the proxy knows the first
    /// as away.</summary>
    private static async Task MoveUpstreamAsync(TestProxy proxy, TestOutput output)
    {
        proxy.Upstream("second").Add(output);
        await proxy.Upstream("main").StopAsync();
        await UntilAsync(
            async () => (await proxy.AskAsync(TestOutput.PathOf("missing"))).Text.Contains("main=away", StringComparison.Ordinal));
    }
}
