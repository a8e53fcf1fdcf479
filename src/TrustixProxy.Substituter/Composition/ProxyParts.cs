using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Mirrors;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.Substituter.Traces;
using TrustixProxy.Substituter.Wanted;
using TrustixProxy.TransparencyLog.Notes;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Composition;

/// <summary>Composes all parts of the proxy, with or without a host.</summary>
internal sealed class ProxyParts : IDisposable
{
    /// <summary>Maximum polls per second for known refusals; bounds the load on upstreams and electors.</summary>
    private const int AskingsAgain = 50;

    /// <summary>Maximum time of one narinfo request to the bucket that replicas share.</summary>
    private static readonly TimeSpan SharedTimeout = TimeSpan.FromSeconds(1);

    private readonly List<IDisposable> _owned;
    private readonly StateWriter _state;
    private readonly ViewStore _views;
    private readonly LogRecords _records;
    private readonly WatchedTime _watched;
    private readonly RecordSeal _seal;
    private readonly List<LogParts> _logs = [];
    private readonly TimeProvider _time;
    private volatile FrozenSet<string> _frozen = [];
    private ProxyParts? _heir;

    /// <param name="options">The proxy's configuration.</param>
    /// <param name="logger">Logger of all parts.</param>
    /// <param name="network">Carries all requests; sockets if null.</param>
    /// <param name="journal">Journal of decisions for display; a private one if null.</param>
    /// <param name="before">The instance being replaced over the same state. Shares its singletons and unchanged logs; see
    /// <see cref="HandOver"/>.</param>
    public ProxyParts(SubstituterOptions options, ILogger logger, TimeProvider time, HttpMessageHandler? network = null,
        DecisionJournal? journal = null, ProxyParts? before = null)
    {
        (Options, _time, Logger) = (options, time, logger);
        var timeout = options.Deadline / 2;
        _state = before?._state ?? OpenState(options.StateDirectory, time, logger);
        (_views, _records) = (before?._views ?? new ViewStore(options.StateDirectory), before?._records ?? new LogRecords(_state));
        _watched = before?._watched ?? new WatchedTime(_state, time);
        _logs.AddRange(options.Logs.Select(log =>
            before?._logs.Find(known => known.Options == log && known.Timeout == timeout && SuitsLogsOf(before.Options))
                ?? Open(log, timeout, network)));
        Logs = [.. _logs.Select(log => log.Log)];
        Upstreams =
        [
            .. options.Upstreams.Select(upstream => Known(
                before?.Upstreams ?? [],
                    new Upstream(options.Reached(upstream), options.Deadline, time, logger, network))),
        ];
        Shared = OpenShared(before?.Shared, network);
        FileSources = new FileSources(options, Upstreams, time, logger, network).Open();
        Register = new LogRegister(options.Logs, _views, _state, time);
        (Signer, _seal) = (new NarInfoSigner(options.SigningKey), new RecordSeal(options.SigningKey, options.PreviousSigningKeys));
        var revocations = new RevocationStore(options.StateDirectory, _seal);
        WantedNames = new PrivateNames(options.WantedExclude);
        Wanted = before?.Wanted ?? new WantedTable(options.SigningKey.Derive("trustix-proxy wanted"u8, 32), time);
        WantedSnapshot = new WantedSnapshot(Path.Combine(options.StateDirectory, WantedSnapshot.FileName), _seal);
        Revocations = new RevocationRegister(revocations, _seal,
            options.Logs.Select(log => KeyValuePair.Create(log.Elector.Key.LogId, log.Elector.Name)), time, logger, new WatchedHeads(Logs));
        Mirrors = [.. _logs.Where(log => log.Mirror is not null).Select(log => (log.Log, log.Mirror!))];
        Redis = options.Redis is null ? null : new RedisConnection(options.Redis, time, logger);
        ViewExchange = Redis is null ? null : new ViewExchange(Logs, _views, Redis, time, logger);
        RevocationExchange = new RevocationExchange(Revocations, _seal, Redis, time, logger);
        var shared = Redis is null ? null : new SharedDecisions(Redis, _seal, options.Policy, time);
        var stores = new DecisionStores(_state, new DecisionStore(_state.Database), new SignatureAudit(_state.Database), shared);
        Traces = OpenTraces(stores.Audit);
        var trust = new DecisionTrust(
            options.Policy,
            new DecisionSeal(_seal, options.Policy),
            Signer,
            Frozen,
            () => Revocations.Standing,
            Revocations.ProvenHeads,
            new WitnessedVotes(options.Policy, WitnessedAt));
        Cache = new DecisionCache(stores, trust, options.DecisionMemory, time, logger, before?.Cache);
        (RefusedNars, Given) = (before?.RefusedNars ?? new RefusedNars(time), before?.Given ?? new NarHistory(time));
        KnownFiles = before?.KnownFiles ?? new KnownFiles(_state, _seal, Redis, time);
        NarStore = OpenNarStore(before);
        Electorate = new Electorate(
            [.. _logs.Select(ElectorOf), .. FileSources.Select(file => file.Client)], NarSources, BadNars, NarStore, options.Policy, time);
        Refusals = new RefusalMemory(new PollNews(Logs, Upstreams), time);
        var references = new ReferenceQueue();
        var memory = new DeciderMemory(Cache, Refusals, shared, journal ?? new DecisionJournal(time)) { Wanted = Wanted };
        var turns = new PollTurns(options.FrontDoor.AllClients.Concurrency ?? PollTurns.Default, time);
        Decider = new Decider(Electorate, memory, new AskingBounds(new AskingBudget(AskingsAgain, time), turns), Revocations, references,
            options.Deadline, logger);
        Prefetch = new ClosurePrefetch(Decider, references, time, logger);
        Closure = new ClosureGate(Decider, Cache, options.Policy, options.Deadline, time, logger);
        _owned =
        [
            Traces, Closure, Prefetch, references, RevocationExchange, Decider, BadNars, revocations,
            .. NarSources.Union(FileSources.Select(file => file.Source)),
            .. new IDisposable?[] { ViewExchange, Redis }.OfType<IDisposable>(),
        ];
    }

    /// <summary>The configuration.</summary>
    public SubstituterOptions Options { get; }

    public ILogger Logger { get; }

    public IReadOnlyList<WatchedLog> Logs { get; }

    /// <summary>The logs' states. Shared with other parts: do not dispose.</summary>
    public LogRegister Register { get; }

    /// <summary>The signed caches, rebuilders and servers of proof files that vote, with their clients.</summary>
    public ImmutableArray<FileSource> FileSources { get; }

    /// <summary>The policy.</summary>
    public Policy Policy => Options.Policy;

    /// <summary>The logs queried for each path.</summary>
    public IReadOnlyList<WatchedLog> Polled => [.. Logs.Except(Mirrors.Select(entry => entry.Log))];

    /// <summary>The mirrored logs.</summary>
    public IReadOnlyList<(WatchedLog Log, LogMirror Mirror)> Mirrors { get; }

    public ImmutableArray<Upstream> Upstreams { get; }

    /// <summary>The bucket in which replicas share NARs, asked like an upstream; null without one.</summary>
    public Upstream? Shared { get; }

    /// <summary>All that may have a NAR: the upstreams, and what replicas share.</summary>
    private ImmutableArray<Upstream> NarSources => Shared is null ? Upstreams : [.. Upstreams, Shared];

    public BadNarMemory BadNars { get; } = new();

    /// <summary>Wrong NARs that upstreams sent.</summary>
    public RefusedNars RefusedNars { get; }

    /// <summary>NARs given to clients, over time.</summary>
    public NarHistory Given { get; }

    public KnownFiles KnownFiles { get; }

    /// <summary>The NAR store; null if disabled. Started by the host.</summary>
    public NarStore? NarStore { get; }

    /// <summary>The undecided paths that clients asked for.</summary>
    public WantedTable Wanted { get; }

    /// <summary>Names that the work list leaves out.</summary>
    public PrivateNames WantedNames { get; }

    /// <summary>The work list on disk; read and written by the host.</summary>
    public WantedSnapshot WantedSnapshot { get; }

    /// <summary>Opens the store of rates of agreement.</summary>
    public AgreementStore OpenAgreement() => new(_state);

    /// <summary>Opens the store of what charts show.</summary>
    public HistoryStore OpenHistory() => new(_state);

    /// <summary>Current revocations, which override decisions.</summary>
    public RevocationRegister Revocations { get; }

    /// <summary>Shares revocations with other replicas; run by the host.</summary>
    public RevocationExchange RevocationExchange { get; }

    /// <summary>Shares views of logs between replicas; null without replicas.</summary>
    public ViewExchange? ViewExchange { get; }

    /// <summary>The Redis shared by replicas; null without replicas.</summary>
    public RedisConnection? Redis { get; }

    public DecisionCache Cache { get; }

    /// <summary>Decides on build traces.</summary>
    public TraceDecider Traces { get; }

    /// <summary>Signs what is decided.</summary>
    public NarInfoSigner Signer { get; }

    public Decider Decider { get; }

    /// <summary>Recent refusals.</summary>
    public RefusalMemory Refusals { get; }

    /// <summary>The electors, the upstreams and the policy.</summary>
    public Electorate Electorate { get; }

    /// <summary>Background work, run by the host.</summary>
    public ClosurePrefetch Prefetch { get; }

    /// <summary>Returns decisions on paths and closures.</summary>
    public ClosureGate Closure { get; }

    /// <summary>Creates the forwarder that serves agreed NARs.</summary>
    public NarForwarder Forward(IHttpForwarder forwarder)
    {
        var finder = new NarFinder(NarSources, BadNars, _time);
        var downloads = new NarDownloads(new DeliveryContext
        {
            Finder = finder,
            BadNars = BadNars,
            Refused = RefusedNars,
            Given = Given,
            Known = KnownFiles,
            Store = NarStore,
            Shared = Shared,
            Space = new SpoolSpace(Options.StateDirectory, Options.NarSpool),
            Turns = new SemaphoreSlim(Options.Decompressions),
            OnRefused = Decider.Renew,
            Deadline = Options.Deadline,
            Stay = Options.NarStay,
            Time = _time,
            Logger = Logger,
        });
        return new NarForwarder(downloads, finder, NarStore, Given, forwarder, Options.Deadline, _time);
    }

    private TraceDecider OpenTraces(SignatureAudit audit) => new(
        [.. FileSources.Select(file => file.ToTraceElector(_time)).OfType<TraceElector>()], Policy,
        new TraceStore(_state, new TraceSeal(_seal, Policy), audit, Policy, Redis, _time), Signer, Options.Deadline, _time, Logger);

    /// <summary>Probes each upstream and signed cache.</summary>
    public void Probe()
    {
        foreach (var upstream in NarSources.Union(FileSources.Select(file => file.Source)))
        {
            upstream.Probe();
        }
    }

    private Upstream? OpenShared(Upstream? before, HttpMessageHandler? network) => Options.SharedStore is not { } store ? null
        : Known(before is null ? [] : [before], new Upstream(store, SharedTimeout, _time, Logger, network));

    /// <summary>Takes over the store on disk, which uploads with the current key from now on.</summary>
    private NarStore? OpenNarStore(ProxyParts? before)
    {
        var store = before is not null ? before.NarStore
            : Options.NarStore is null ? null : new NarStore(Options.NarStore, KnownFiles, _time, Logger);
        store?.Use(Options.NarStore?.Shared?.Signer, Redis);
        return store;
    }

    /// <summary>Creates an upstream with the state of its predecessor.</summary>
    private static Upstream Known(ImmutableArray<Upstream> before, Upstream upstream)
    {
        if (before.FirstOrDefault(known => known.Options.Url == upstream.Options.Url) is { } predecessor)
        {
            upstream.TakeOver(predecessor);
        }

        return upstream;
    }

    /// <summary>Hands shared resources to the successor; this instance finishes in-flight requests and forwards what it still
    /// learns.</summary>
    public void HandOver(ProxyParts heir)
    {
        _heir = heir;
        Cache.HandOver(heir.Cache);
        heir.Revocations.TakeOver(Revocations);
        KnownFiles.Use(heir._seal, heir.Redis);
    }

    /// <summary>Disposes resources not handed over.</summary>
    public void Dispose()
    {
        _owned.ForEach(part => part.Dispose());
        _logs.Except(_heir?._logs ?? []).ToList().ForEach(log => log.Dispose());
        if (_heir is null)
        {
            NarStore?.Dispose();
            KnownFiles.Dispose();
            _views.Dispose();
            _state.Dispose();
        }
    }

    private static StateWriter OpenState(string directory, TimeProvider time, ILogger logger)
    {
        var writer = new StateWriter(directory, time, logger);
        writer.Failed += failure => Tell(logger, failure);
        return writer;
    }

    private static void Tell(ILogger logger, Exception failure)
    {
        if (failure is SqliteException refused)
        {
            logger.DiskRefused(refused.Message);
        }
        else
        {
            logger.KeepingFailed(failure);
        }
    }

    /// <summary>Whether a log that was opened under these options can go on under the current ones.</summary>
    private bool SuitsLogsOf(SubstituterOptions before) =>
        before.Proxies.Equals(Options.Proxies) && before.Policy.LongestAge == Policy.LongestAge;

    private LogParts Open(LogOptions options, TimeSpan timeout, HttpMessageHandler? network)
    {
        var http = options.IsExport
            ? LogTransport.OfFiles(options.Url, network, Options.Proxies, options.Tls)
            : LogTransport.Create(options.Url, network, Options.Proxies, options.Tls);
        var (elector, connection) = (options.Elector, new ConnectClient(http, timeout, _time));
        var identity = new LogIdentity(elector.Name, elector.Key, options.Url);
        var faults = new LogFaultStore(identity, _views, _records, Options.StateDirectory, _time, Logger);
        var client = new LogClient(connection, elector.Key.LogId, _time, options.IsExport,
            showsMapRoots: elector.RequiresInclusionProof && !options.IsMirrored);
        var log = new WatchedLog(elector.Name, elector.Key, client, _views, faults, _time, Logger)
        {
            Witnesses = elector.Witnesses is { } demand ? new WitnessWatch(elector.Name, demand, client, faults, _time, Logger) : null,
            Ages = Policy.LongestAge > TimeSpan.Zero ? new HeadAges(elector.Key, _state, _watched, Policy.LongestAge, Logger) : null,
        };
        var mirror = options.IsMirrored ? new LogMirror(elector.Name, log,
            new MirrorStore(Path.Combine(Options.StateDirectory, "mirrors", $"{elector.Key.LogId}.sqlite")), _time, Logger) : null;
        return new LogParts(options, timeout, connection, log, mirror);
    }

    private ElectorClient ElectorOf(LogParts log)
    {
        ElectorClient client = log.Mirror is null
            ? new LogElector(log.Options.Elector, log.Log, _time)
            : new MirrorElector(log.Options.Elector, log.Log, log.Mirror, Options.MirrorPollInterval, _time);
        client = log.Log.Witnesses is { } witnesses ? new WitnessedElector(client, log.Log, witnesses) : client;
        client = log.Log.Ages is { } ages ? new AgedElector(client, ages) : client;
        return new RevocableElector(client, Revocations, log.Log.Client);
    }

    /// <summary>When witnesses last cosigned a known head of a log of at least a size; null for none.</summary>
    private DateTimeOffset? WitnessedAt(string name, long size) =>
        Logs.FirstOrDefault(log => log.Name == name)?.Witnesses?.SeenAt(size);

    /// <summary>Names of frozen electors; the same set object until it changes.</summary>
    private FrozenSet<string> Frozen()
    {
        var (known, count, isSame) = (_frozen, 0, true);
        foreach (var elector in Electorate.Electors)
        {
            if (elector.IsFrozen)
            {
                count++;
                isSame &= known.Contains(elector.Elector.Name);
            }
        }

        return isSame && count == known.Count ? known
            : _frozen = Electorate.Electors.Where(elector => elector.IsFrozen).Select(elector => elector.Elector.Name).ToFrozenSet();
    }

    /// <summary>Creates the client of a log.</summary>
    private sealed record LogParts(LogOptions Options, TimeSpan Timeout, ConnectClient Connection, WatchedLog Log, LogMirror? Mirror)
        : IDisposable
    {
        public void Dispose()
        {
            Mirror?.Dispose();
            Connection.Dispose();
        }
    }
}
