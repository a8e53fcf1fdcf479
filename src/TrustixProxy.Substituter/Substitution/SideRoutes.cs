using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>What clients ask a cache for beside narinfos and NARs.</summary>
/// <remarks>
/// <code>
/// /log/NAME            an upstream's build log: nobody vouches for it        <see cref="BuildLogs"/>
/// /digest.ls           made from the verified NAR                            <see cref="Listings"/>
/// /debuginfo/BUILDID   leads to an agreed NAR, or nowhere                <see cref="DebugInfo"/>
/// /realisations/…      what signed caches agree on, signed by us             <see cref="BuildTraces"/>
/// /build-trace-v2/…    the same for newer clients
/// </code>
/// Each route parses its whole address; another address is not theirs, and goes nowhere.</remarks>
internal sealed class SideRoutes(BuildLogs logs, Listings listings, DebugInfo debug, BuildTraces traces, Store store)
{
    private const string LogPrefix = "/log/", DerivationSuffix = ".drv", ListingSuffix = ".ls", DebugPrefix = "/debuginfo/";

    /// <summary>Returns what answers an address; null when it is none of these routes.</summary>
    public Func<HttpContext, Task>? Find(string path) =>
        path.StartsWith(LogPrefix, StringComparison.Ordinal) ? FindLog(path.AsSpan(LogPrefix.Length))
        : store == Store.Guix ? null
        : path.EndsWith(ListingSuffix, StringComparison.Ordinal) ? FindListing(path.AsSpan(1..^ListingSuffix.Length))
        : path.StartsWith(DebugPrefix, StringComparison.Ordinal) ? FindDebugInfo(path[DebugPrefix.Length..])
        : TraceKey.TryParse(path.AsSpan(Math.Min(1, path.Length)), out var key) ? context => traces.AnswerAsync(context, key)
        : null;

    /// <remarks>Clients of Nix ask for the log of a derivation, those of GNU Guix for the log of an output, too.</remarks>
    private Func<HttpContext, Task>? FindLog(ReadOnlySpan<char> name) =>
        StorePath.TryParse(name, store, out var path, out _) && (store == Store.Guix || name.EndsWith(DerivationSuffix))
            ? context => logs.AnswerAsync(context, path) : null;

    private Func<HttpContext, Task>? FindListing(ReadOnlySpan<char> text) =>
        StorePathDigest.TryParse(text, out var digest) ? context => listings.AnswerAsync(context, digest) : null;

    private Func<HttpContext, Task>? FindDebugInfo(string file) =>
        DebugInfo.IsFile(file) ? context => debug.AnswerAsync(context, file) : null;
}
