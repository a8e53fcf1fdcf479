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

/// <summary>The proxy's configuration. Values were validated when read.</summary>
public sealed record SubstituterOptions
{
    /// <summary>Client listeners, authentication and limits.</summary>
    public FrontDoorOptions FrontDoor { get; init; } = new();

    /// <summary>Options of answers other than decisions.</summary>
    public AnswerOptions Answers { get; init; } = new();

    /// <summary>Addresses of the operations listener, <c>http://host:port</c>; empty disables it.</summary>
    public ImmutableArray<string> OperationsListen { get; init; } = [];

    /// <summary>Host names the operations listener accepts, in addition to loopback names.</summary>
    public ImmutableArray<string> OperationsHosts { get; init; } = [];

    /// <summary>The credentials that the work list asks for; null: only this machine may read it.</summary>
    public ClientCredentials? WantedReaders { get; init; }

    /// <summary>Globs of store path names that the work list leaves out.</summary>
    public ImmutableArray<string> WantedExclude { get; init; } = [];

    /// <summary>Operations listeners of other proxies to exchange signed heads with.</summary>
    public ImmutableArray<Uri> GossipPeers { get; init; } = [];

    /// <summary>HTTP proxies for requests to upstreams, caches, logs and peers.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    /// <summary>Interval of head exchanges.</summary>
    public TimeSpan GossipInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Directory of the state database; exists and is writable.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Signs agreed narinfos.</summary>
    public required NixSecretKey SigningKey { get; init; }

    /// <summary>Rotated-out keys: their seals are accepted, nothing new is signed with them.</summary>
    public ImmutableArray<NixSecretKey> PreviousSigningKeys { get; init; } = [];

    /// <summary>The Redis shared by replicas; null without replicas.</summary>
    public RedisOptions? Redis { get; init; }

    /// <summary>The NAR store; null if disabled.</summary>
    public NarStoreOptions? NarStore { get; init; }

    /// <summary>The policy. Its electors are those of <see cref="Logs"/>, <see cref="Caches"/> and <see cref="Proofs"/>.</summary>
    public required Policy Policy { get; init; }

    /// <summary>The logs.</summary>
    public required ImmutableArray<LogOptions> Logs { get; init; }

    /// <summary>The signed caches that vote.</summary>
    public ImmutableArray<CacheOptions> Caches { get; init; } = [];

    /// <summary>The servers of proof files that vote.</summary>
    public ImmutableArray<ProofOptions> Proofs { get; init; } = [];

    /// <summary>The binary caches to fetch NARs from.</summary>
    public required ImmutableArray<UpstreamOptions> Upstreams { get; init; }

    /// <summary>Maximum wait per request for electors and upstreams together.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Interval of head fetches per log.</summary>
    public TimeSpan HeadPollInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Concurrent decompressions, each with a window of at most 128 MiB; more are queued for at most one deadline.</summary>
    public int Decompressions { get; init; } = 16;

    /// <summary>How long a verified NAR stays available after its last reader.</summary>
    public TimeSpan NarStay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Maximum total bytes on disk for NAR downloads.</summary>
    public long NarSpool { get; init; } = 4L << 30;

    /// <summary>Interval at which mirrors fetch heads and new entries, independent of requests.</summary>
    public TimeSpan MirrorPollInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Maximum memory of cached decisions, in bytes.</summary>
    public long DecisionMemory { get; init; } = 64 << 20;

    /// <summary>The bucket in which replicas share NARs, as one more upstream; null without one.</summary>
    internal UpstreamOptions? SharedStore => NarStore?.Shared is not { } shared ? null
        : new UpstreamOptions(SharedNarsOptions.Name, shared.Base, int.MaxValue,
            shared.Signer is { } signer ? UpstreamCredentials.Signing(signer) : null)
        {
            IsShared = true,
            Proxies = Proxies,
            NarDeadline = TimeSpan.FromSeconds(10),
        };

    /// <summary>Returns an upstream with what it serves in the store's form, and the HTTP proxies for it.</summary>
    internal UpstreamOptions Reached(UpstreamOptions upstream) =>
        upstream with { Proxies = Proxies, Serves = ServedFile.NarInfoOf(Policy.Store) };
}
