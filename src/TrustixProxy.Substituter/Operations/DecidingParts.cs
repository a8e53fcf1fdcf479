using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Mirrors;
using TrustixProxy.Substituter.Replicas;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Substituter.Storage;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.Substituter.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Operations;

/// <summary>All that decides, put together, with or without a host around it.</summary>
internal sealed class DecidingParts : IDisposable
{
    private readonly List<IDisposable> _owned;
    private readonly List<ElectorClient> _electors;
    private readonly SubstituterOptions _options;
    private readonly TimeProvider _time;
    private volatile FrozenSet<string> _frozen = [];

    /// <param name="options">What the proxy is told.</param>
    /// <param name="logger">Where it tells what happens.</param>
    /// <param name="time">The clock.</param>
    /// <param name="network">What carries all requests; sockets when null.</param>
    /// <param name="journal">Remembers decisions for people; one that nobody looks at when null.</param>
    public DecidingParts(SubstituterOptions options, ILogger logger, TimeProvider time, HttpMessageHandler? network = null, DecisionJournal? journal = null)
    {
        (_options, _time, Logger) = (options, time, logger);
        var timeout = options.Deadline / 2;
        var state = new StateWriter(options.StateDirectory, exception => logger.DiskRefused(exception.Message));
        var (views, records) = (new ViewStore(options.StateDirectory), new LogRecords(state));
        var connections = options.Logs.Select(log => new ConnectClient(LogTransport.Create(log.Url, network), timeout, time)).ToList();
        Logs = [.. options.Logs.Zip(connections, (log, connect) => new WatchedLog(
            log.Elector.Name, log.Elector.Key, new LogClient(connect, log.Elector.Key.LogId, time), views,
            new LogDocket(log.Elector.Name, log.Elector.Key, log.Url, views, records, options.StateDirectory, time, logger), time, logger))];
        Upstreams = [.. options.Upstreams.Select(upstream => new Upstream(upstream, timeout, time, network))];
        var caches = options.Caches.Select(cache => Upstreams.FirstOrDefault(upstream => upstream.Options.Url == cache.Url) ?? new Upstream(new UpstreamOptions(cache.Elector.Name, cache.Url, 0), timeout, time, network)).ToList();
        CacheSources = [.. options.Caches.Zip(caches, (cache, source) => (cache.Elector, source))];
        Register = new LogRegister(options.Logs, views, state, time);
        var seal = new RecordSeal(options.SigningKey, options.PreviousSigningKeys);
        var revocations = new RevocationStore(options.StateDirectory, seal);
        Revocations = new RevocationRegister(revocations, seal, options.Logs.Select(log => KeyValuePair.Create(log.Elector.Key.LogId, log.Elector.Name)), time, logger);
        var mirrors = options.Logs.Zip(Logs).Where(pair => pair.First.IsMirrored).ToDictionary(pair => pair.Second, pair => Mirror(pair.First, pair.Second));
        Mirrors = [.. mirrors.Select(entry => (entry.Key, entry.Value))];
        _electors = [.. options.Logs.Zip(Logs, ElectorClient (log, view) => new RevocableElector(mirrors.TryGetValue(view, out var mirror) ? new MirrorElector(log.Elector, view, mirror, options.MirrorPollInterval) : new LogElector(log.Elector, view, time), Revocations)), .. options.Caches.Zip(caches, (cache, source) => new CacheElector(cache.Elector, source))];
        Redis = options.Redis is null ? null : new RedisConnection(options.Redis, time, logger);
        ViewExchange = Redis is null ? null : new ViewExchange(Logs, views, Redis, time, logger);
        RevocationExchange = new RevocationExchange(Revocations, seal, Redis, time, logger);
        var shared = Redis is null ? null : new SharedDecisions(Redis, seal, options.Policy, time);
        Cache = new DecisionCache(
            state, new DecisionStore(state.Database), new SignatureAudit(state.Database), new DecisionSeal(seal, options.Policy), shared, options.Policy,
            new NarInfoSigner(options.SigningKey), Frozen, () => Revocations.Standing, options.DecisionMemory, time, logger);
        KnownFiles = new KnownFiles(state, seal, Redis, time);
        NarStore = options.NarStore is null ? null : new NarStore(options.NarStore, KnownFiles, time, logger);
        Prefetch = new ClosurePrefetch((digest, depth, cancellation) => Decider!.DecideAheadAsync(digest, depth, cancellation));
        Decider = new Decider(Cache, Revocations, shared, options.Deadline, (digest, deadline) => Deliberate(digest, deadline, isHasty: false), Prefetch.Offer, Upstreams, NarStore, journal ?? new DecisionJournal(time), time, logger);
        Closure = new ClosureGate(Decider.DecideAsync, options.Policy.Fallback, Cache.Render, options.Deadline, time, logger);
        _owned =
        [
            Closure, Prefetch, RevocationExchange, Decider, Marks, KnownFiles, views, revocations, .. mirrors.Values, .. connections, .. Upstreams.Union(caches),
            .. new IDisposable?[] { NarStore, ViewExchange, Redis }.OfType<IDisposable>(), state,
        ];
    }

    public ILogger Logger { get; }

    public IReadOnlyList<WatchedLog> Logs { get; }

    /// <summary>How they fare. Shares what it reads with the rest: not to be disposed.</summary>
    public LogRegister Register { get; }

    /// <summary>The signed caches that vote, and where they are asked.</summary>
    public ImmutableArray<(Elector.Cache Elector, Upstream Source)> CacheSources { get; }

    /// <summary>Who must agree.</summary>
    public Policy Policy => _options.Policy;

    /// <summary>The logs that are asked about each path.</summary>
    public IReadOnlyList<WatchedLog> Polled => [.. Logs.Except(Mirrors.Select(entry => entry.Log))];

    /// <summary>The logs that are mirrored.</summary>
    public IReadOnlyList<(WatchedLog Log, LogMirror Mirror)> Mirrors { get; }

    public ImmutableArray<Upstream> Upstreams { get; }

    public UpstreamMarks Marks { get; } = new();

    public KnownFiles KnownFiles { get; }

    /// <summary>NARs that are at hand; null when none are kept. It is started where there is a host.</summary>
    public NarStore? NarStore { get; }

    /// <summary>What is refused, whatever is decided.</summary>
    public RevocationRegister Revocations { get; }

    /// <summary>Has other replicas know of revocations, and us of theirs; runs where there is a host.</summary>
    public RevocationExchange RevocationExchange { get; }

    /// <summary>Has replicas hold each log to one history; null when there are none.</summary>
    public ViewExchange? ViewExchange { get; }

    /// <summary>Where replicas meet; null when there are none.</summary>
    public RedisConnection? Redis { get; }

    public DecisionCache Cache { get; }

    public Decider Decider { get; }

    /// <summary>Runs in the background where there is a host.</summary>
    public ClosurePrefetch Prefetch { get; }

    private ClosureGate Closure { get; }

    /// <summary>The decision on a path, and where the policy says so on its closure.</summary>
    public ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation) =>
        _options.Policy.RequiresClosure ? Closure.DecideAsync(digest, cancellation) : Decider.DecideAsync(digest, cancellation);

    /// <summary>The same, where it is in memory and takes no asking; null where it is not. Makes no garbage.</summary>
    public Decision? FindWarm(ReadOnlySpan<char> digest) =>
        Decider.FindWarm(digest) is { } known && (!_options.Policy.RequiresClosure || known.Record.Claim is not { } claim || Closure.IsWhole(claim.Path.Digest)) ? known : null;

    /// <summary>Makes the asking of one digest, within a time; in haste, everyone is asked once.</summary>
    public Deliberation Deliberate(StorePathDigest digest, TimeSpan deadline, bool isHasty) => new(digest, _electors, Upstreams, Marks, NarStore, _options.Policy, deadline, _time, isHasty);

    /// <summary>Makes what serves the NARs of decisions.</summary>
    public NarForwarder Forward(IHttpForwarder forwarder) => new(Upstreams, Marks, KnownFiles, NarStore, forwarder, Decider.Renew, _options.Decompressions, _options.Deadline, _time, Logger);

    /// <summary>Drops from the disk what is too old to be of use.</summary>
    public void Prune()
    {
        Cache.Prune();
        KnownFiles.Prune();
    }

    public void Dispose() => _owned.ForEach(part => part.Dispose());

    private LogMirror Mirror(LogOptions log, WatchedLog view) =>
        new(log.Elector.Name, view, new MirrorStore(Path.Combine(_options.StateDirectory, "mirrors", $"{log.Elector.Key.LogId}.sqlite")), _time, Logger);

    /// <summary>Names of the electors that are frozen; the same set while they are the same.</summary>
    private FrozenSet<string> Frozen()
    {
        var (known, count, isSame) = (_frozen, 0, true);
        foreach (var elector in _electors)
        {
            if (elector.IsFrozen)
            {
                count++;
                isSame &= known.Contains(elector.Elector.Name);
            }
        }

        return isSame && count == known.Count ? known : _frozen = _electors.Where(elector => elector.IsFrozen).Select(elector => elector.Elector.Name).ToFrozenSet();
    }
}
