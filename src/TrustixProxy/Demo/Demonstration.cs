using System.Security.Cryptography;
using System.Text;
using Spectre.Console;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;

namespace TrustixProxy.Demo;

/// <summary>The demo: what three builders say of three paths, and what becomes of that. All parts are the real ones.</summary>
internal static class Demonstration
{
    public static async Task<int> RunAsync(string? storePath, bool keep, CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("trustix-demo-").FullName;
        try
        {
            await using var stage = await DemoStage.StartAsync(directory, cancellation);
            var cases = await SetAsync(stage, directory, storePath, cancellation);
            await stage.StartProxyAsync(cancellation);
            var isAsExpected = await ShowAsync(stage, cases, cancellation);
            Explain(stage, cases[0].Path, keep);
            if (keep)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellation).ContinueWith(_ => { }, TaskScheduler.Default);
            }

            return isAsExpected ? ExitCode.Good : ExitCode.No;
        }
        catch (NixException exception)
        {
            await Console.Error.WriteLineAsync($"--store-path: {exception.Message}");
            return ExitCode.Usage;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Builds, publishes and tells the logs. Mallory's builder is the rogue one.</summary>
    private static async Task<IReadOnlyList<DemoCase>> SetAsync(
        DemoStage stage, string directory, string? storePath, CancellationToken cancellation)
    {
        var builder = new DemoBuilder(directory);
        var agreed = storePath is null
            ? [builder.Build("hello-1.0", isForged: false)]
            : await DemoStore.PackAsync(storePath, directory, cancellation);
        var split = builder.Build("editor-2.3", isForged: false);
        var lone = builder.Build("kernel-6.1", isForged: false);
        foreach (var output in (IEnumerable<DemoOutput>)[.. agreed, split, lone])
        {
            stage.Cache.Add(output.Statement, output.NarFile);
        }

        var good = agreed[^1].Statement;
        var forged = good with { NarHash = builder.Build("hello-1.0", isForged: true).Statement.NarHash };
        var splitForged = builder.Build("editor-2.3", isForged: true).Statement;
        await stage.TellAsync("alice", [.. agreed.Select(output => output.Statement), split.Statement, lone.Statement], cancellation);
        await stage.TellAsync("bob", [.. agreed.Select(output => output.Statement)], cancellation);
        await stage.TellAsync("mallory", [forged, splitForged], cancellation);
        return
        [
            new DemoCase(good.Path, [("alice", good), ("bob", good), ("mallory", forged)], Outcome.Agreed),
            new DemoCase(split.Statement.Path, [("alice", split.Statement), ("bob", null), ("mallory", splitForged)], Outcome.Conflict),
            new DemoCase(lone.Statement.Path, [("alice", lone.Statement), ("bob", null), ("mallory", null)], Outcome.Undecided),
        ];
    }

    private static async Task<bool> ShowAsync(DemoStage stage, IReadOnlyList<DemoCase> cases, CancellationToken cancellation)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("path", "alice", "bob", "mallory", "verdict", "the client gets");
        var isAsExpected = true;
        foreach (var item in cases)
        {
            var answer = await stage.AskAsync(item.Path, cancellation);
            var result = answer.NarInfo is null ? $"404" : await FetchAsync(stage, answer.NarInfo, cancellation);
            isAsExpected &= answer.Verdict == item.Expected.Word()
                && result.StartsWith("404", StringComparison.Ordinal) == (item.Expected is not Outcome.Agreed);
            table.AddRow(
                [Markup.Escape(item.Path.Name), .. item.Votes.Select(vote => Short(vote.Claim)), answer.Verdict, Markup.Escape(result)]);
            if (answer.NarInfo is null)
            {
                item.Reason = answer.Text.Trim();
            }
        }

        AnsiConsole.Profile.Width = Math.Max(120, AnsiConsole.Profile.Width);
        AnsiConsole.MarkupLine("Three logs, quorum 2 of 3; the builder mallory is rogue. Each log's claim per path, and the "
            + "proxy's verdict:");
        AnsiConsole.Write(table);
        foreach (var item in cases.Where(item => item.Reason is not null))
        {
            Console.WriteLine($"{item.Path.Name} is refused: {item.Reason}");
        }

        Console.WriteLine(isAsExpected ? "\nEverything is as expected." : "\nThis is NOT as expected.");
        return isAsExpected;
    }

    /// <summary>Fetches the NAR that a narinfo names, and checks hash and signature as a client does.</summary>
    private static async Task<string> FetchAsync(DemoStage stage, NarInfo narInfo, CancellationToken cancellation)
    {
        var nar = await stage.FetchAsync(narInfo.Url, cancellation);
        var isSigned = narInfo.Signatures.Any(signature => stage.PublicKey.Verify(narInfo.Fingerprint, signature));
        return nar is not null && isSigned && NixHash.Sha256(SHA256.HashData(nar)) == narInfo.NarHash
            ? $"{nar.Length:N0} bytes, verified"
            : "a WRONG NAR or signature";
    }

    private static string Short(BuildStatement? claim) => claim is null ? "-" : $"sha256:{claim.NarHash.Digits[..8]}…";

    private static void Explain(DemoStage stage, StorePath path, bool keep)
    {
        var text = new StringBuilder();
        text.AppendLine(keep ? "\nEverything runs until Ctrl-C. Try it with a real Nix:"
            : "\nWith --keep, everything keeps running. Then try it with a real Nix:");
        text.AppendLine($"  nix --extra-experimental-features nix-command copy --from {stage.ProxyUrl} --to /tmp/demo-store \\");
        text.AppendLine($"      --option trusted-public-keys {stage.PublicKey} {path.Absolute}");
        text.AppendLine("or, for every build of a machine, in nix.conf:");
        text.AppendLine($"  substituters = {stage.ProxyUrl}");
        text.AppendLine($"  trusted-public-keys = {stage.PublicKey}");
        Console.Write(text);
    }

    /// <param name="Votes">What each log was told.</param>
    /// <param name="Expected">The verdict that has to come of it.</param>
    private sealed record DemoCase(StorePath Path, IReadOnlyList<(string Log, BuildStatement? Claim)> Votes, Outcome Expected)
    {
        public string? Reason { get; set; }
    }
}
