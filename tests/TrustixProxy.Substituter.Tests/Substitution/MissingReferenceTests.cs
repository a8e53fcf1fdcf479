using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

public sealed class MissingReferenceTests
{
    [Fact]
    public async Task A_root_names_the_references_that_are_refused_as_soon_as_they_are_and_no_longer()
    {
        var refused = TestOutput.Make("refused-1.0");
        var good = TestOutput.Make("good-1.0");
        var root = TestOutput.Make("root-1.0", 200, refused.Path, good.Path);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(root, "alice", "bob", "carol").Publish(good, "alice", "bob", "carol").Publish(refused, "carol").StartAsync();

        await proxy.NarInfoAsync(root);
        Assert.Equal("undecided", (await proxy.AskAsync(refused.Path)).Decision);
        await Eventually.UntilAsync(async () => await MissingAsync(proxy, root) == $"{refused.Path}");

        Assert.Null(await MissingAsync(proxy, good));
    }

    [Fact]
    public async Task No_more_than_ten_are_named()
    {
        var references = Enumerable.Range(0, 12).Select(i => TestOutput.Make($"refused-{i}")).ToList();
        var root = TestOutput.Make("root-1.0", 200, [.. references.Select(reference => reference.Path)]);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(root, "alice", "bob", "carol").StartAsync();

        await Task.WhenAll(references.Select(reference => proxy.AskAsync(reference.Path)));

        await Eventually.UntilAsync(async () => (await MissingAsync(proxy, root))?.Split(' ').Length is 10);
    }

    private static async Task<string?> MissingAsync(TestProxy proxy, TestOutput output)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(proxy.Url, $"{output.Path.Digest}.narinfo"));
        Assert.Equal(System.Net.HttpStatusCode.OK, response.StatusCode);
        return response.Headers.TryGetValues("X-Trustix-Missing", out var values) ? values.Single() : null;
    }
}
