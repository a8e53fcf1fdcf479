using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;

namespace TrustixProxy.Demo;

/// <summary>The demo: what three builders say of some paths, and what becomes of that. All parts are the real ones.</summary>
internal static class Demonstration
{
    private const string Swapped = "nothing: the cache sent another NAR";

    public static async Task<int> RunAsync(string? storePath, bool keep, CancellationToken cancellation)
    {
        if (TemporaryFolder.TryMake("trustix-demo-", out var directory) is { } fault)
        {
            await Console.Error.WriteLineAsync($"demo: {fault}");
            return ExitCode.Usage;
        }

        try
        {
            await using var stage = await DemoStage.StartAsync(directory, cancellation);
            var plot = new DemoPlot(stage, directory);
            var cases = await plot.BeginAsync(storePath, cancellation);
            await stage.StartProxyAsync(cancellation);
            DemoScreen.Open(stage);
            return await PlayAsync(stage, plot, cases, keep, cancellation) ? ExitCode.Good : ExitCode.No;
        }
        catch (NixException exception)
        {
            await Console.Error.WriteLineAsync($"--store-path: {exception.Message}");
            return ExitCode.Usage;
        }
        catch (HttpRequestException exception)
        {
            await Console.Error.WriteLineAsync($"demo: {exception.Message}. Its parts ask each other on the loopback network, "
                + "127.0.0.1: see that it is up, and that no firewall is in between.");
            return ExitCode.Unknown;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<bool> PlayAsync(
        DemoStage stage, DemoPlot plot, IReadOnlyList<DemoCase> cases, bool keep, CancellationToken cancellation)
    {
        var (rows, reasons) = (new List<(DemoCase Case, string Verdict, string Gets)>(), new List<string>());
        foreach (var item in cases)
        {
            rows.Add(await AskAsync(stage, item, reasons, cancellation));
        }

        rows.Add(await AskAsync(stage, await plot.RewriteAsync(cancellation), reasons, cancellation));
        var evidence = await stage.FindEvidenceAsync("mallory", cancellation);
        DemoScreen.Show(rows);
        reasons.ForEach(Console.WriteLine);
        Console.WriteLine("mallory is frozen: its log signed two histories. The evidence "
            + $"{(evidence is null ? "does NOT hold" : "holds, and anyone can check it")}.");
        var isAsExpected = evidence is not null && rows.TrueForAll(IsAsExpected);
        Console.WriteLine(isAsExpected ? "\nEverything is as expected." : "\nThis is NOT as expected.");
        DemoScreen.Explain(stage, cases[0], evidence, keep);
        if (keep || await DemoScreen.AsksToKeepAsync(stage, cancellation))
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation).ContinueWith(_ => { }, TaskScheduler.Default);
        }

        return isAsExpected;
    }

    private static bool IsAsExpected((DemoCase Case, string Verdict, string Gets) row) =>
        row.Verdict == row.Case.Expected.Word()
        && (row.Case is { Expected: Outcome.Agreed, IsWhole: true } ? row.Gets.EndsWith(" bytes, verified", StringComparison.Ordinal)
            : row.Gets == (row.Case.IsWhole ? "404" : Swapped));

    private static async Task<(DemoCase Case, string Verdict, string Gets)> AskAsync(
        DemoStage stage, DemoCase item, List<string> reasons, CancellationToken cancellation)
    {
        var answer = await stage.AskAsync(item.Path, cancellation);
        if (answer.NarInfo is null)
        {
            reasons.Add($"{item.Path.Name} is refused: {answer.Text.Trim()}");
        }

        return (item, answer.Verdict, answer.NarInfo is null ? "404" : await FetchAsync(stage, answer.NarInfo, cancellation));
    }

    /// <summary>Fetches the NAR that a narinfo names, and checks hash and signature as a client does.</summary>
    private static async Task<string> FetchAsync(DemoStage stage, NarInfo narInfo, CancellationToken cancellation)
    {
        var nar = await stage.FetchAsync(narInfo.Url, cancellation);
        var isSigned = narInfo.Signatures.Any(signature => stage.PublicKey.Verify(narInfo.Fingerprint, signature));
        return nar is null ? Swapped
            : isSigned && NixHash.Sha256(SHA256.HashData(nar)) == narInfo.NarHash ? $"{nar.Length:N0} bytes, verified"
            : "a WRONG NAR or signature";
    }
}
