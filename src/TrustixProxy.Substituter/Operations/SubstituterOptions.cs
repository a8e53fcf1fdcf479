using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Clients;
using TrustixProxy.Substituter.Listening;
using TrustixProxy.Substituter.Replicas;
using TrustixProxy.Substituter.Storage;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Operations;

/// <summary>What the client is told when a failed elector or upstream could have changed the outcome.</summary>
public enum OnUndecided
{
    /// <summary>404: the client goes on to its next substituter, or builds.</summary>
    NotFound,

    /// <summary>503: the client retries, and then fails.</summary>
    Unavailable,
}

/// <summary>A log, and where it is.</summary>
/// <param name="Elector">Who votes by it.</param>
/// <param name="Url">http, https, or <c>unix:/path/of/socket</c>; of an export http, https, or file: a folder.</param>
/// <param name="IsMirrored">Whether it is followed entry by entry and answers from here, instead of being asked about each path.</param>
/// <param name="IsExport">Whether its static files are there, as <c>log export</c> writes them, and not its node; it is mirrored then.</param>
public sealed record LogOptions(Elector.Log Elector, Uri Url, bool IsMirrored = false, bool IsExport = false);

/// <summary>A signed cache that is an elector, and where it is.</summary>
/// <param name="Elector">Who votes by it.</param>
/// <param name="Url">http or https; a path is kept.</param>
public sealed record CacheOptions(Elector.Cache Elector, Uri Url);

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

/// <summary>All that the proxy is told. Values are checked where they are read: these are good.</summary>
public sealed record SubstituterOptions
{
    /// <summary>Addresses to listen on, <c>http://host:port</c>, <c>https://host:port</c> or <c>unix:/path</c>; unused when systemd passes sockets.</summary>
    public ImmutableArray<string> Listen { get; init; } = ["http://127.0.0.1:8080"];

    /// <summary>What is shown at https addresses, and at sockets that systemd passes; there where any of <see cref="Listen"/> is https.</summary>
    public TlsCertificate? Certificate { get; init; }

    /// <summary>Who may ask; everyone when null.</summary>
    public ClientCredentials? Credentials { get; init; }

    /// <summary>How much one client is served.</summary>
    public LoadLimits EachClient { get; init; } = new();

    /// <summary>How much all clients together are served.</summary>
    public LoadLimits AllClients { get; init; } = new();

    /// <summary>How many connections clients may have at once; those beyond wait. No limit when null.</summary>
    public int? Connections { get; init; }

    /// <summary>How many of them one client may have; behind <see cref="ForwardedFrom"/>, how many requests at once. No limit when null.</summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>A client that takes fewer bytes a second of what waits for it is given up, once it is <see cref="SlownessGrace"/> behind.</summary>
    public int LeastBytesPerSecond { get; init; } = 1000;

    /// <summary>How far behind it may be; more than a second.</summary>
    public TimeSpan SlownessGrace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whose word is taken for who a client is; nobody's when null.</summary>
    public ForwardedClients? ForwardedFrom { get; init; }

    /// <summary>How long a request's headers may take to come.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Addresses for those who run the proxy, <c>http://host:port</c>; none when empty.</summary>
    public ImmutableArray<string> OperationsListen { get; init; } = [];

    /// <summary>Names by which the operations listener may be asked, beside those of loopback.</summary>
    public ImmutableArray<string> OperationsHosts { get; init; } = [];

    /// <summary>Operations listeners of other proxies, with which signed heads are exchanged.</summary>
    public ImmutableArray<Uri> GossipPeers { get; init; } = [];

    /// <summary>Which HTTP proxies lead to upstreams, caches, logs and peers.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    /// <summary>How often heads are exchanged.</summary>
    public TimeSpan GossipInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Where the state database is; exists and is writable.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>What agreed narinfos are signed with.</summary>
    public required NixSecretKey SigningKey { get; init; }

    /// <summary>What was signed with before: what it sealed is still believed, and nothing is signed with it.</summary>
    public ImmutableArray<NixSecretKey> PreviousSigningKeys { get; init; } = [];

    /// <summary>Where replicas meet; null when this proxy is alone.</summary>
    public RedisOptions? Redis { get; init; }

    /// <summary>Where verified NARs are kept; null when none are.</summary>
    public NarStoreOptions? NarStore { get; init; }

    /// <summary>Who must agree. Its electors are those of <see cref="Logs"/> and <see cref="Caches"/>.</summary>
    public required Policy Policy { get; init; }

    /// <summary>The logs.</summary>
    public required ImmutableArray<LogOptions> Logs { get; init; }

    /// <summary>The signed caches that are electors.</summary>
    public ImmutableArray<CacheOptions> Caches { get; init; } = [];

    /// <summary>The binary caches that NARs come from.</summary>
    public required ImmutableArray<UpstreamOptions> Upstreams { get; init; }

    /// <summary>Priority that clients are told; lower ones are asked first.</summary>
    public int Priority { get; init; } = 30;

    /// <summary>The longest that one request is held for electors and upstreams together.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What the client is told when the deadline passes.</summary>
    public OnUndecided OnUndecided { get; init; }

    /// <summary>How often each log's head is fetched.</summary>
    public TimeSpan HeadPollInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many NARs are decompressed at once, each with a window of up to 128 MiB; others wait in turn, for one deadline at the most.</summary>
    public int Decompressions { get; init; } = 16;

    /// <summary>How long a NAR that was verified stays for later requests after its last reader.</summary>
    public TimeSpan NarStay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The most bytes of disk that downloads of NARs take together.</summary>
    public long NarSpool { get; init; } = 4L << 30;

    /// <summary>How often a mirrored log's head is fetched, and its new entries; no request has a part in it.</summary>
    public TimeSpan MirrorPollInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The most bytes that remembered decisions take in memory.</summary>
    public long DecisionMemory { get; init; } = 64 << 20;

    /// <summary>What bounds clients' connections.</summary>
    internal ConnectionLimits ConnectionLimits => new()
    {
        Connections = Connections,
        PerClient = ConnectionsPerClient,
        Waiting = AllClients.Waiting,
        Wait = Deadline,
        HeaderTimeout = HeaderTimeout,
        LeastBytesPerSecond = LeastBytesPerSecond,
        Grace = SlownessGrace,
        Proxies = ForwardedFrom?.Networks ?? [],
    };
}
