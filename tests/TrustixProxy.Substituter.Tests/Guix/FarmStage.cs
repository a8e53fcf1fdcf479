using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Guix;

/// <summary>The proxy for GNU Guix's store, over two farms that vote and have the NARs; both must agree.</summary>
internal sealed class FarmStage : IAsyncDisposable
{
    private FarmStage(FakeFarm ci, FakeFarm bordeaux) => (Ci, Bordeaux) = (ci, bordeaux);

    public FakeFarm Ci { get; }

    public FakeFarm Bordeaux { get; }

    public TestProxy Proxy { get; } = new() { Quorum = 2 };

    /// <summary>The key that clients authorize.</summary>
    public GuixPublicKey Key => GuixSecretKey.Of(Proxy.Key).PublicKey;

    public static async Task<FarmStage> PrepareAsync(Func<Policy, Policy>? change = null)
    {
        var stage = new FarmStage(await FakeFarm.StartAsync("ci"), await FakeFarm.StartAsync("bordeaux"));
        (string Name, FakeFarm Farm, Uri Url)[] farms = [("ci", stage.Ci, stage.Ci.Url), ("bordeaux", stage.Bordeaux, stage.Bordeaux.Url)];
        stage.Proxy.Caches.AddRange(farms.Select(entry =>
            new CacheOptions(new Elector.Cache(entry.Name, entry.Name, [entry.Farm.Key.PublicKey]), entry.Url)));
        stage.Proxy.ChangePolicy = change ?? OfGuix;
        stage.Proxy.Change = options => options with
        {
            Upstreams = [.. farms.Select((entry, i) => new UpstreamOptions(entry.Name, entry.Url, 10 * (i + 1)))],
        };
        return stage;
    }

    public static Policy OfGuix(Policy policy) => new([.. policy.Electors], quorum: 2) { Store = Store.Guix };

    /// <summary>A running stage, on which both farms have an output.</summary>
    public static async Task<(FarmStage Stage, TestOutput Output)> StartAsync(Func<Policy, Policy>? change = null)
    {
        var (stage, output) = (await PrepareAsync(change), TestOutput.Make("hello-1.0", 1000, TestOutput.PathOf("shell-1.0")));
        stage.Ci.Add(output);
        stage.Bordeaux.Add(output);
        await stage.Proxy.StartAsync();
        return (stage, output);
    }

    public Task<ProxyAnswer> AskAsync(TestOutput output) => Proxy.AskAsync(output.Path);

    /// <summary>The narinfo that the proxy gives, read as Guix reads it, with our valid signature.</summary>
    public async Task<NarInfo> NarInfoAsync(TestOutput output)
    {
        var answer = await AskAsync(output);
        return NarInfo.TryParse(Encoding.ASCII.GetBytes(answer.Text), Store.Guix, out var narInfo, out _)
            && Key.FindSignature(narInfo) is not null && narInfo.StorePath == FakeFarm.PathOf(output) ? narInfo
            : throw new InvalidOperationException($"No right narinfo: {answer}");
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await Ci.DisposeAsync();
        await Bordeaux.DisposeAsync();
    }
}
