using System.Net;
using TrustixProxy.Consensus;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A proxy whose policy demands an age serves an agreement once its logs have held the votes that long.</summary>
public sealed class MinimumAgeVoteTests
{
    [Fact]
    public async Task A_young_agreement_is_refused_until_its_logs_have_held_it()
    {
        await using var proxy = await WithAgeAsync(TimeSpan.FromSeconds(2));
        var output = TestOutput.Make();
        await proxy.Publish(output, "alice", "bob").StartAsync();

        var young = await proxy.AskAsync(output.Path);
        Assert.Equal(HttpStatusCode.NotFound, young.Status);
        Assert.Contains("; the quorum lacks votes that their logs have held for 00:00:02", young.Text, StringComparison.Ordinal);

        await ServedAsync(proxy, output);
    }

    [Fact]
    public async Task The_bundle_carries_the_ages_and_proves_nothing_without_them()
    {
        await using var proxy = await WithAgeAsync(TimeSpan.FromSeconds(1));
        var output = TestOutput.Make();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await ServedAsync(proxy, output);
        byte[] bytes = [];
        await Eventually.UntilAsync(async () =>
        {
            using var answer = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, $"/decisions/{output.Path.Digest}"));
            bytes = await answer.Content.ReadAsByteArrayAsync();
            return answer.IsSuccessStatusCode;
        });
        var policy = proxy.Policy!;

        Assert.True(DecisionBundle.TryVerify(bytes, policy, out _, out var verdict, out var error), error.ToString());
        Assert.Equal(2, verdict!.Answers.Count(answer => answer.Ballot is Ballot.Claimed { Age: { } age } && age >= policy.MinimumAge));

        var other = new Policy(policy.Electors, 2) { MinimumAge = TimeSpan.FromDays(1) };
        Assert.False(DecisionBundle.TryVerify(bytes, other, out _, out _, out _));
    }

    [Fact]
    public async Task A_demand_that_grows_refuses_what_was_served_and_ages_outlive_a_restart()
    {
        await using var proxy = await WithAgeAsync(TimeSpan.FromSeconds(1));
        var output = TestOutput.Make();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await ServedAsync(proxy, output);
        await proxy.StopAsync();

        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { MinimumAge = TimeSpan.FromSeconds(3) };
        await proxy.StartAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(output.Path)).Status);

        await ServedAsync(proxy, output);
    }

    private static async Task<TestProxy> WithAgeAsync(TimeSpan age)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { MinimumAge = age };
        proxy.Change = options => options with { HeadPollInterval = TimeSpan.FromMilliseconds(100) };
        return proxy;
    }

    private static Task ServedAsync(TestProxy proxy, TestOutput output) =>
        Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.OK);
}
