using System.Collections.Immutable;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Configures a binary cache whose NARs are forwarded once they are agreed on.</summary>
/// <param name="Name">The name in logs and answers; unique.</param>
/// <param name="Url">http or https, with an optional path; or file: a folder.</param>
/// <param name="Priority">The lowest is asked for NARs first, as in Nix.</param>
/// <param name="Credentials">Authenticates us; null when the cache needs none.</param>
public sealed record UpstreamOptions(string Name, Uri Url, int Priority, UpstreamCredentials? Credentials = null)
{
    /// <summary>Selects the HTTP proxy for it.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    /// <summary>Who we are to it, and who vouches for it; null for nobody, and whom this machine trusts.</summary>
    public PeerTls? Tls { get; init; }

    /// <summary>The file that it serves for each path: a narinfo, unless it is no binary cache.</summary>
    public ServedFile Serves { get; init; } = ServedFile.NarInfo;

    /// <summary>The file below its address that a probe asks for; any answer except a server error shows that it lives.</summary>
    public string ProbeFile { get; init; } = "nix-cache-info";

    /// <summary>Whether it is the bucket in which replicas share verified NARs. It is asked for NARs first, briefly and once; its failures
    /// count as absences, and it is never waited for when another has the path.</summary>
    public bool IsShared { get; init; }

    /// <summary>Maximum number of requests in flight, for narinfos and NARs together; 0 for no limit.</summary>
    public int Concurrency { get; init; }

    /// <summary>Globs of path names it is asked for; all when empty.</summary>
    public ImmutableArray<string> Match { get; init; } = [];

    /// <summary>Globs of path names it is not asked for.</summary>
    public ImmutableArray<string> Except { get; init; } = [];

    /// <summary>Whether any paths are excluded.</summary>
    public bool IsLimited => !Match.IsEmpty || !Except.IsEmpty;

    /// <summary>Whether it is asked for a path.</summary>
    public bool Takes(StorePath path) =>
        (Match.IsEmpty || Match.Any(glob => NameGlob.Matches(glob, path))) && !Except.Any(glob => NameGlob.Matches(glob, path));

    /// <summary>Maximum wait for a NAR's first byte, and maximum silence within a NAR.</summary>
    public TimeSpan NarDeadline { get; init; } = TimeSpan.FromMinutes(1);
}
