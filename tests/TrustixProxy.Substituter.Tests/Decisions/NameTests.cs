using System.Net;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>What is decided on is the full path: no other name of the same digest takes its place.</summary>
public sealed class NameTests
{
    [Theory]
    [InlineData(0, 300)]
    [InlineData(300, 0)]
    public async Task A_loosely_scoped_name_does_not_take_an_agreed_paths_place_whichever_comes_first(int strictDelay, int looseDelay)
    {
        var (strict, loose) = Twins();
        await using var proxy = await WithTwoNamesAsync(strict, loose);
        (proxy.Upstream("main").Delay, proxy.Upstream("rogue").Delay) = (
            TimeSpan.FromMilliseconds(strictDelay), TimeSpan.FromMilliseconds(looseDelay));
        await proxy.StartAsync();

        var answers = new List<ProxyAnswer>();
        await UntilAsync(async () =>
        {
            answers.Add(await proxy.AskAsync(strict.Path)); // the first one may leave before the other name is known, and is voided then
            return answers[^1].Decision is "conflict";
        });

        Assert.Contains("2 names of one digest are granted", answers[^1].Text, StringComparison.Ordinal);
        Assert.Contains(strict.Path.ToString(), answers[^1].Text, StringComparison.Ordinal);
        Assert.Contains(loose.Path.ToString(), answers[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_name_that_nobody_vouches_for_refuses_nothing()
    {
        var (strict, loose) = Twins();
        await using var proxy = await WithTwoNamesAsync(strict, loose, publishLoose: false);
        await proxy.StartAsync();

        Assert.Equal(strict.Statement.NarHash, (await proxy.NarInfoAsync(strict)).NarHash);
    }

    [Fact]
    public async Task A_reference_is_not_met_by_another_name_of_its_digest()
    {
        var (needed, loose) = Twins();
        var top = TestOutput.Make("top", 100, needed.Path);
        await using var proxy = await WithTwoNamesAsync(needed, loose);
        proxy.Upstream("main").Lie = UpstreamLie.Absent; // only the loose name is known at first
        var scoped = proxy.ChangePolicy;
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { Scopes = scoped(policy).Scopes, RequiresClosure = true };
        await proxy.Publish(top, "alice", "bob").StartAsync();
        Assert.Equal("agreed", (await proxy.AskAsync(loose.Path)).Decision);
        proxy.Upstream("main").Lie = UpstreamLie.None;

        var answer = await proxy.AskAsync(top.Path);

        Assert.True((HttpStatusCode.NotFound, "conflict") == (answer.Status, answer.Decision), answer.ToString());
        Assert.Contains($"the closure needs {needed.Path}", answer.Text, StringComparison.Ordinal);
    }

    /// <summary>Two outputs whose paths have one digest.</summary>
    private static (TestOutput Strict, TestOutput Loose) Twins()
    {
        var strict = TestOutput.Make("openssl-3.0");
        Assert.True(StorePath.TryParse($"{strict.Path.Digest}-x-loose", out var path, out _));
        return (strict, TestOutput.At(path, [1, 2, 3]));
    }

    /// <summary>The strict name is agreed by alice and bob and served by "main"; carol alone vouches for the loose name, which "rogue"
    /// serves.</summary>
    private static async Task<TestProxy> WithTwoNamesAsync(TestOutput strict, TestOutput loose, bool publishLoose = true)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("rogue");
        proxy.ChangePolicy = policy =>
            new Policy(policy.Electors, 2) { Scopes = [new Scope("*-loose", new Rule(1, ["alice", "bob", "carol"]), Dissent.Outvoted)] };
        proxy.Upstream("main").Add(strict);
        proxy.Upstream("rogue").Add(loose);
        proxy.Log("alice").Publish(strict.Statement);
        proxy.Log("bob").Publish(strict.Statement);
        if (publishLoose)
        {
            proxy.Log("carol").Publish(loose.Statement);
        }

        return proxy;
    }
}
