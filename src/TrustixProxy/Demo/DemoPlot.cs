using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Demo;

/// <summary>A path of the demo: what is said of it, and what has to come of that.</summary>
/// <param name="Votes">What each log was told, or why it does not count.</param>
/// <param name="Expected">The verdict that has to come of it.</param>
/// <param name="IsWhole">Whether the cache sends the right NAR.</param>
internal sealed record DemoCase(StorePath Path, IReadOnlyList<string> Votes, Outcome Expected, bool IsWhole = true);

/// <summary>What happens in the demo: mallory's builder is the rogue one, and in the end its log rewrites its past.</summary>
internal sealed class DemoPlot(DemoStage stage, string directory)
{
    private const string Shell = "shell-5.2";

    private readonly DemoBuilder _builder = new(directory);
    private readonly List<BuildStatement> _hidden = []; // what mallory says once it has rewritten its log

    /// <summary>Builds, publishes and tells the logs.</summary>
    /// <param name="storePath">A path of this machine's store that all agree on; null for a made-up one.</param>
    public async Task<IReadOnlyList<DemoCase>> BeginAsync(string? storePath, CancellationToken cancellation)
    {
        var agreed = storePath is null ? [_builder.Build("hello-1.0", isForged: false)]
            : await DemoStore.PackAsync(storePath, directory, cancellation);
        string[] lied = ["browser-9.1", "editor-2.3", "tool-0.9"], names = [.. lied, "kernel-6.1", Shell];
        var good = names.ToDictionary(name => name, name => _builder.Build(name, isForged: false));
        var forged = lied.ToDictionary(name => name, name => _builder.Build(name, isForged: true));
        foreach (var output in agreed.Concat(good.Where(item => item.Key is not "tool-0.9").Select(item => item.Value)))
        {
            stage.Cache.Add(output.Statement, output.NarFile);
        }

        stage.Cache.Add(good["tool-0.9"].Statement, forged["tool-0.9"].NarFile); // the cache swaps this one
        List<BuildStatement> all = [.. agreed.Select(output => output.Statement)];
        var tool = good["tool-0.9"].Statement;
        await stage.TellAsync("alice", [.. all, .. good.Values.Select(output => output.Statement)], cancellation);
        await stage.TellAsync("bob", [.. all, good["browser-9.1"].Statement, tool, good[Shell].Statement], cancellation);
        await stage.TellAsync(
            "mallory", [.. all, forged["browser-9.1"].Statement, forged["editor-2.3"].Statement, tool], cancellation);
        _hidden.AddRange([.. all, good["browser-9.1"].Statement, good["editor-2.3"].Statement, tool]);
        return
        [
            Case(agreed[^1], agreed[^1], agreed[^1], Outcome.Agreed),
            Case(good["browser-9.1"], good["browser-9.1"], forged["browser-9.1"], Outcome.Agreed),
            Case(good["editor-2.3"], null, forged["editor-2.3"], Outcome.Conflict),
            Case(good["kernel-6.1"], null, null, Outcome.Undecided),
            Case(good["tool-0.9"], good["tool-0.9"], good["tool-0.9"], Outcome.Agreed) with { IsWhole = false },
        ];
    }

    /// <summary>Has mallory rewrite its log, so that it never lied; a path that alice and bob have built finds that out.</summary>
    public async Task<DemoCase> RewriteAsync(CancellationToken cancellation)
    {
        await stage.RewriteAsync("mallory", _hidden, cancellation);
        var output = _builder.Build(Shell, isForged: false);
        return new DemoCase(output.Statement.Path, [Short(output), Short(output), "frozen"], Outcome.Agreed);
    }

    private static DemoCase Case(DemoOutput alice, DemoOutput? bob, DemoOutput? mallory, Outcome expected) =>
        new(alice.Statement.Path, [Short(alice), Short(bob), Short(mallory)], expected);

    private static string Short(DemoOutput? output) => output is null ? "-" : $"{output.Statement.NarHash.Digits[..8]}…";
}
