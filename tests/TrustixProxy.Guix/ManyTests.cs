namespace TrustixProxy.Guix;

/// <summary>Farms of the test's own: many paths in one query, and the real package hello.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class ManyTests(GuixLab lab)
{
    [GuixFact]
    public async Task Fifteen_hundred_paths_of_one_query_are_decided_together()
    {
        await using var first = await SignedFarm.StartAsync();
        await using var second = await SignedFarm.StartAsync();
        var paths = Enumerable.Range(0, 1500).Select(i => GuixNars.RandomPath($"package-{i}")).ToList();
        var nar = GuixNars.OfFile([1, 2, 3]);
        foreach (var farm in new[] { first, second })
        {
            paths.ForEach(path => farm.Add(path, nar));
            farm.Delay = TimeSpan.FromMilliseconds(50);
        }

        await using var proxy = await GuixProxy.StartAsync(lab.Directory, [(first.Url, first.PublicKey), (second.Url, second.PublicKey)]);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var list = Path.Combine(lab.Directory, "many.txt");
        await File.WriteAllLinesAsync(list, paths);

        var counted = (await client.RunScriptAsync("query.scm", list)).OrThrow();

        Assert.Equal("1500", counted.Output.Trim());
        Assert.InRange(first.Most, 20, int.MaxValue);
    }

    [GuixFact]
    public async Task Guix_build_hello_installs_what_the_quorum_has_and_it_runs()
    {
        await using var first = await SignedFarm.StartAsync();
        await using var second = await SignedFarm.StartAsync();
        await using var proxy = await GuixProxy.StartAsync(lab.Directory, [(first.Url, first.PublicKey), (second.Url, second.PublicKey)]);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        var path = (await client.RunScriptAsync("package.scm", "hello")).OrThrow().Output.Trim();
        var nar = GuixNars.OfProgram("hello", "#!/bin/sh\necho Hello, quorum!\n"u8.ToArray());
        first.Add(path, nar);
        second.Add(path, nar);

        var built = (await client.RunAsync("guix", "build", "--no-grafts", "hello")).OrThrow();
        var said = (await client.RunAsync($"{path}/bin/hello")).OrThrow();

        Assert.Equal((path, "Hello, quorum!"), (built.Output.Trim(), said.Output.Trim()));
    }

    [GuixFact]
    public async Task Guix_weather_counts_what_the_vote_serves()
    {
        await using var first = await SignedFarm.StartAsync();
        await using var second = await SignedFarm.StartAsync();
        await using var proxy = await GuixProxy.StartAsync(lab.Directory, [(first.Url, first.PublicKey), (second.Url, second.PublicKey)]);
        var client = await lab.StartClientAsync([proxy.Url], proxy.PublicKey);
        foreach (var (package, farms) in new[] { ("hello", new[] { first, second }), ("sed", [first]) })
        {
            var path = (await client.RunScriptAsync("package.scm", package)).OrThrow().Output.Trim();
            Array.ForEach(farms, farm => farm.Add(path, GuixNars.OfFile([1, 2, 3])));
        }

        var all = await client.RunAsync("guix", "weather", $"--substitute-urls={proxy.Url}", "hello");
        var some = await client.RunAsync("guix", "weather", $"--substitute-urls={proxy.Url}", "hello", "sed");

        Assert.True((all.Code, some.Code) is (0, 1), $"{all}\n{some}");
        Assert.Contains("100.0% substitutes available (1 out of 1)", all.Output, StringComparison.Ordinal);
        Assert.Contains("50.0% substitutes available (1 out of 2)", some.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("not authorized", all.Error, StringComparison.Ordinal); // it looks at the key of the first narinfo
    }
}
