using System.Collections.Immutable;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>A binary cache whose NARs are forwarded once they are agreed on.</summary>
/// <param name="Name">The name in logs and answers; unique.</param>
/// <param name="Url">http or https, a path is kept; or file: a folder.</param>
/// <param name="Priority">Which is asked for NARs first: the lowest, as in Nix.</param>
/// <param name="Credentials">Who we are to it; null when it does not ask.</param>
public sealed record UpstreamOptions(string Name, Uri Url, int Priority, UpstreamCredentials? Credentials = null)
{
    /// <summary>Which HTTP proxy leads to it.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    /// <summary>How many requests may be under way to it at once, for narinfos and NARs together; 0 for no limit.</summary>
    public int Concurrency { get; init; }

    /// <summary>Globs of the names of paths that it is asked for; all when empty.</summary>
    public ImmutableArray<string> Match { get; init; } = [];

    /// <summary>Globs of the names of paths that it is not asked for.</summary>
    public ImmutableArray<string> Except { get; init; } = [];

    /// <summary>Whether there are paths that it is not asked for.</summary>
    public bool IsLimited => !Match.IsEmpty || !Except.IsEmpty;

    /// <summary>Whether it is asked for a path.</summary>
    public bool Takes(StorePath path) =>
        (Match.IsEmpty || Match.Any(glob => NameGlob.Matches(glob, path))) && !Except.Any(glob => NameGlob.Matches(glob, path));

    /// <summary>How long a NAR's first byte is waited for, and how long a silence ends a connection in mid-NAR.</summary>
    public TimeSpan NarDeadline { get; init; } = TimeSpan.FromMinutes(1);
}
