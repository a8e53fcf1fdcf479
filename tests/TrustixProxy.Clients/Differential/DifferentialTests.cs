using System.Text.Json.Nodes;
using TrustixProxy.Configuration;
using Xunit.Abstractions;

namespace TrustixProxy.Clients.Differential;

/// <summary>What a version of Nix takes from a cache, it takes from the proxy in front of that cache; <c>differences.txt</c> lists the
/// exceptions.</summary>
/// <remarks>The cache signs all samples with one key. Clients trust that key when they ask the cache itself; the cache is the proxy's only
/// elector.</remarks>
[Collection(ClientLabCollection.Name)]
public sealed class DifferentialTests(ClientLab lab, ITestOutputHelper output)
{
    [Fact]
    public Task Narinfos_that_nix_takes_from_a_cache_it_takes_through_the_proxy() =>
        CompareAsync(Corpus.Make("narinfo", plain => [.. NarInfoOddities.All, .. NarInfoValueOddities.All(plain)]));

    [Fact]
    public Task Archives_and_files_that_nix_takes_from_a_cache_it_takes_through_the_proxy() =>
        CompareAsync(Corpus.Make("file", _ => [.. ArchiveOddities.All, .. CompressionOddities.All]));

    [Fact]
    public Task Responses_that_nix_takes_from_a_cache_it_takes_through_the_proxy() =>
        CompareAsync(Corpus.Make("response", _ => ResponseOddities.All));

    [Fact]
    public Task Caches_that_nix_uses_the_proxy_uses() => CompareAsync(Corpus.Make("cache", _ => CacheOddities.All), areAlone: true);

    /// <summary>Fetches every sample in both ways, and compares the differences with the table.</summary>
    /// <param name="corpus">The samples.</param>
    /// <param name="areAlone">Whether each sample has a cache of its own.</param>
    private async Task CompareAsync(Corpus corpus, bool areAlone = false)
    {
        await using var cache = await CorpusCache.StartAsync(corpus.Samples);
        var addresses = areAlone ? [.. corpus.Samples.Select(cache.AddressOf)] : new[] { cache.Url };
        var usable = addresses.Where(address => FaultOf(address) is null).ToArray();
        await using var proxy = await StartProxyAsync(cache.Url, usable, corpus);
        var key = corpus.Key.PublicKey.ToString();
        var runs = new List<(string Version, Fetched Straight, Fetched Proxied)>();
        foreach (var client in NixClient.AtHand)
        {
            var fetching = new Fetching(lab, client);
            var straight = await fetching.RunAsync(
                $"{corpus.Part}-straight", key,
                [.. corpus.Samples.Select(sample => (sample.Path, areAlone ? cache.AddressOf(sample) : cache.Url))]);
            var proxied = await fetching.RunAsync(
                $"{corpus.Part}-proxy", proxy.PublicKey, [.. corpus.Samples.Select(sample => (sample.Path, proxy.Url))]);
            runs.Add((client.Version, straight, proxied));
        }

        await AssertListedAsync(corpus, runs, proxy);
    }

    private async Task AssertListedAsync(Corpus corpus, List<(string Version, Fetched Straight, Fetched Proxied)> runs, Proxy proxy)
    {
        foreach (var (version, straight, proxied) in runs)
        {
            var gained = corpus.Lost(proxied, straight).Select(sample => sample.Oddity.Name).ToList();
            output.WriteLine(
                $"Nix {version}: of {corpus.Samples.Count} takes {straight.Taken.Count} straight, {proxied.Taken.Count} through the proxy; "
                + $"only through the proxy: {string.Join("; ", gained)}");
            Assert.Superset(corpus.Samples.Take(2).Select(plain => plain.Path).ToHashSet(), straight.Taken);
        }

        var listed = Differences.Read(corpus.Part);
        var wrong = new List<string>();
        foreach (var sample in corpus.Samples)
        {
            var refused = runs.Where(run => corpus.Lost(run.Straight, run.Proxied).Contains(sample)).ToList();
            var versions = string.Join(", ", refused.Select(run => run.Version));
            var expected = listed.GetValueOrDefault(sample.Oddity.Name, "").Split(", ");
            if (refused.Any(run => !expected.Contains(run.Version)))
            {
                var answer = await proxy.AskAsync($"{sample.Path.Digest}.narinfo");
                var message = refused.Select(run => run.Proxied.MessageOf(sample.Path)).FirstOrDefault();
                wrong.Add($"{sample.Oddity.Name} | {versions} | listed: {listed.GetValueOrDefault(sample.Oddity.Name, "-")}; "
                    + $"{answer.Status} {answer.Text.Split('\n')[0]}; {message}");
            }
        }

        Assert.True(wrong.Count is 0, string.Join('\n', wrong));
        Assert.Empty(listed.Keys.Except(corpus.Samples.Select(sample => sample.Oddity.Name)));
    }

    /// <summary>Why the configuration refuses an upstream's address; null when it does not.</summary>
    private static string? FaultOf(string address) => ServiceUrl.FaultOf(address, UrlForms.Folder | UrlForms.Priority, out _, out _);

    private Task<Proxy> StartProxyAsync(string elector, string[] upstreams, Corpus corpus) => lab.StartProxyAsync(
        configuration =>
        {
            configuration["deadline"] = "00:00:03";
            configuration["logs"] = new JsonArray();
            configuration["caches"] = new JsonArray(new JsonObject
            {
                ["name"] = "corpus",
                ["url"] = elector,
                ["publicKeys"] = new JsonArray(corpus.Key.PublicKey.ToString()),
            });
            configuration["policy"] = new JsonObject { ["quorum"] = 1 };
        },
        upstreams);
}
