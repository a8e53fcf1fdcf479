using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Testing;

namespace TrustixProxy.Browser;

/// <summary>A proxy that has met all there is: each outcome, a hostile elector, a frozen one, a wrong NAR, a closure, a name as long as
/// names get.</summary>
internal sealed class DashboardStage : IAsyncDisposable
{
    public const string Hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'";

    private DashboardStage(TestProxy proxy) => Proxy = proxy;

    public TestProxy Proxy { get; }

    /// <summary>All agree.</summary>
    public TestOutput Agreed { get; } = TestOutput.Make("agreed-1.0");

    /// <summary>One against one.</summary>
    public TestOutput Split { get; } = TestOutput.Make("split-1.0");

    /// <summary>Proven by one alone.</summary>
    public TestOutput Lone { get; } = TestOutput.Make($"lone-{new string('x', 200)}-1.0");

    /// <summary>Refers to the others, and to one that nobody asked for.</summary>
    public TestOutput Root { get; private set; } = null!;

    /// <summary>All agree, and nobody has asked yet.</summary>
    public TestOutput Unasked { get; } = TestOutput.Make("brand-new-1.0");

    /// <summary>The pages.</summary>
    public string[] Paths =>
    [
        "/", "/?span=day", "/paths", "/path?q=agreed", "/path?q=nothing-like-it", "/conflicts", "/work", "/doctor", "/upstream?name=main",
        "/elector?name=alice", $"/elector?name={Uri.EscapeDataString($"carol{Hostile}")}", "/elector?name=dora",
        $"/path/{Agreed.Path.Digest}", $"/path/{Split.Path.Digest}", $"/path/{Lone.Path.Digest}", $"/closure/{Root.Path.Digest}",
    ];

    /// <summary>A proxy that nobody has asked anything.</summary>
    public static async Task<TestProxy> StartEmptyAsync()
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        return proxy;
    }

    public static async Task<DashboardStage> StartAsync()
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddLogAsync("dora");
        (proxy.Quorum, proxy.ChangeElector) = (2, elector =>
            elector.Name is "carol" ? elector with { Name = $"carol{Hostile}", Operator = $"carol{Hostile}" } : elector);
        var stage = new DashboardStage(proxy);
        await stage.PlayAsync();
        return stage;
    }

    public async ValueTask DisposeAsync() => await Proxy.DisposeAsync();

    private async Task PlayAsync()
    {
        Root = TestOutput.Make("root-1.0", 1000, Agreed.Path, Split.Path, Lone.Path, TestOutput.PathOf("unheard-of-1.0"));
        Proxy.Publish(Agreed, "alice", "bob").Publish(Split, "alice").Publish(Lone, "alice").Publish(Root, "alice", "bob")
            .Publish(Unasked, "alice", "bob");
        Proxy.Log("bob").Publish(Split.Forge().Statement);
        Proxy.Log("carol").Publish(Root.Forge().Statement);
        Proxy.Log("dora").Lie = LogLie.EntryOfOtherLeaf;
        Proxy.Log("dora").Publish(Agreed.Statement);
        await Proxy.StartAsync();

        await Proxy.NarAsync(await Proxy.NarInfoAsync(Agreed));
        await Proxy.AskAsync(Split.Path);
        await Proxy.AskAsync(Lone.Path);
        var root = await Proxy.NarInfoAsync(Root);
        Proxy.Upstream().AddFile($"/{Root.NarInfo().Url}", Root.Forge().Nar);
        using var nar = await Proxy.Client.GetAsync(new Uri(Proxy.Url, root.Url));
        if (nar.IsSuccessStatusCode)
        {
            throw new InvalidOperationException("A wrong NAR was served.");
        }

        new DoctorSummary(
            2, 2, new Dictionary<string, int> { ["agreed"] = 1, ["conflict"] = 1 },
            [new(Hostile, "agreed", Hostile, new Dictionary<string, string> { ["alice"] = Hostile })],
            [new(Split.Path.Absolute, "conflict", Hostile, true, null, 1, new Dictionary<string, string>())], [])
            .Keep(Proxy.StateDirectory);
    }
}
