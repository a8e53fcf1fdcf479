using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Testing;

/// <summary>Who took part when <c>Vectors/state-0.1</c> was recorded: the same keys, paths, contents and histories each time.</summary>
/// <remarks>Logs alice, bob, carol (mirrored), dave (frozen after a split view) and erin (revoked from leaf <see cref="RevokedSince"/>);
/// quorum 2, veto. The keys were made for this and are worth nothing.</remarks>
public static class RecordedCast
{
    /// <summary>The folder of the recording, among the vectors.</summary>
    public const string Folder = "state-0.1";

    public const string PathReason = "it phones home", NarReason = "a bad NAR", LogReason = "erin was broken into";

    /// <summary>The first leaf of erin that is revoked.</summary>
    public const int RevokedSince = 7;

    public static readonly ImmutableArray<string> Names = ["alice", "bob", "carol", "dave", "erin"];

    public static NixSecretKey Key { get; } = NixSecretKey.FromSeed("recorded-1", Seed("proxy"));

    /// <summary>All but dave and erin have it; served, and kept in the NAR store.</summary>
    public static TestOutput Agreed { get; } = Output("agreed");

    /// <summary>Only alice has it.</summary>
    public static TestOutput Refused { get; } = Output("refused");

    /// <summary>Agreed on, until the late dissent of bob.</summary>
    public static TestOutput Voided { get; } = Output("voided");

    public static TestOutput RevokedPath { get; } = Output("revoked-path");

    public static TestOutput RevokedNar { get; } = Output("revoked-nar");

    /// <summary>Revoked, and no longer.</summary>
    public static TestOutput Undone { get; } = Output("undone");

    /// <summary>Alice has it, and the mirrored carol.</summary>
    public static TestOutput Mirrored { get; } = Output("mirrored");

    /// <summary>Alice has it, and erin beyond <see cref="RevokedSince"/>.</summary>
    public static TestOutput BehindRevokedLog { get; } = Output("behind-revoked-log");

    /// <summary>Alice has it, and dave, who is frozen.</summary>
    public static TestOutput BehindFrozenLog { get; } = Output("behind-frozen-log");

    public static IEnumerable<TestOutput> Outputs =>
        [Agreed, Refused, Voided, RevokedPath, RevokedNar, Undone, Mirrored, BehindRevokedLog, BehindFrozenLog];

    /// <summary>The whole history of a log, as it was at the end of the recording.</summary>
    public static MemoryLog LogOf(string name)
    {
        var log = new MemoryLog(new LogSigner(Seed(name)));
        foreach (var output in HistoryOf(name))
        {
            log.Add(output.Statement.Key, output.Statement.Value);
        }

        return log;
    }

    /// <summary>A proxy over the cast: the options are those of the recording, the state directory is empty.</summary>
    public static async Task<TestProxy> ProxyAsync()
    {
        var proxy = new TestProxy(Key) { Dissent = Dissent.Veto, Quorum = 2 };
        foreach (var name in Names)
        {
            (await proxy.AddLogAsync(name)).Show(LogOf(name));
        }

        var upstream = await proxy.AddUpstreamAsync("main");
        foreach (var output in Outputs)
        {
            upstream.Add(output, "zstd");
        }

        proxy.Change = options => options with
        {
            Logs = [.. options.Logs.Select(log => log with { IsMirrored = log.Elector.Name is "carol" })],
            NarStore = new NarStoreOptions(Directory.CreateDirectory(Path.Combine(proxy.StateDirectory, "nars")).FullName, 1 << 30, []),
        };
        return proxy;
    }

    private static IEnumerable<TestOutput> HistoryOf(string name) => name switch
    {
        "alice" => Outputs,
        "bob" => [Agreed, Output("voided", "another build"), RevokedPath, RevokedNar, Undone],
        "carol" => [Agreed, Voided, RevokedPath, RevokedNar, Undone, Mirrored],
        "dave" => [BehindFrozenLog, Output("more-of-dave")],
        _ => [.. Enumerable.Range(0, RevokedSince).Select(i => Output($"filler-{i}")), BehindRevokedLog],
    };

    private static TestOutput Output(string name, string contents = "a build") =>
        TestOutput.At(PathOf(name), Encoding.ASCII.GetBytes($"{name}: {contents}"));

    private static StorePath PathOf(string name) =>
        StorePath.TryParse($"{Nix32.Encode(Seed($"path {name}").AsSpan(0, 20))}-{name}-1.0", out var path, out var error)
            ? path
            : throw new ArgumentException($"{name}: {error}");

    private static byte[] Seed(string name) => SHA256.HashData(Encoding.ASCII.GetBytes($"trustix-proxy {Folder} {name}"));
}
