using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Redis;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Substitution;

namespace TrustixProxy.Substituter.Composition;

/// <summary>All that the proxy is told. Values are checked where they are read: these are good.</summary>
public sealed record SubstituterOptions
{
    /// <summary>Where clients connect, who they are, and what they may take.</summary>
    public FrontDoorOptions FrontDoor { get; init; } = new();

    /// <summary>What answers depend on beside decisions.</summary>
    public AnswerOptions Answers { get; init; } = new();

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

    /// <summary>The longest that one request is held for electors and upstreams together.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often each log's head is fetched.</summary>
    public TimeSpan HeadPollInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many NARs are decompressed at once, each with a window of up to 128 MiB; others wait in turn, for one deadline at the
    /// most.</summary>
    public int Decompressions { get; init; } = 16;

    /// <summary>How long a NAR that was verified stays for later requests after its last reader.</summary>
    public TimeSpan NarStay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The most bytes of disk that downloads of NARs take together.</summary>
    public long NarSpool { get; init; } = 4L << 30;

    /// <summary>How often a mirrored log's head is fetched, and its new entries; no request has a part in it.</summary>
    public TimeSpan MirrorPollInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The most bytes that remembered decisions take in memory.</summary>
    public long DecisionMemory { get; init; } = 64 << 20;

}
