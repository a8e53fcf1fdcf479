using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Store;
using TrustixProxy.Native;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Configuration;

/// <summary>The configuration of <c>serve</c>.</summary>
/// <param name="Options">What the proxy is told.</param>
/// <param name="KeyFile">Where the signing key is.</param>
/// <param name="IsKeyMissing">Whether it is not there yet: it was made just now, and is to be written.</param>
/// <param name="Otlp">Where traces and metrics are sent; null for nowhere.</param>
internal sealed record ServeConfiguration(SubstituterOptions Options, string KeyFile, bool IsKeyMissing, Uri? Otlp)
{
    /// <summary>Reads all keys; null when the proxy could not run with them.</summary>
    /// <param name="section">The configuration.</param>
    /// <param name="isCheck">Whether the configuration is only checked: then no directory is made.</param>
    public static ServeConfiguration? Read(Section section, bool isCheck)
    {
        var store = CommonKeys.Store(section);
        var listen = section.Texts("listen", "http://127.0.0.1:8080");
        CommonKeys.CheckListen(section, "listen", listen, allowUnix: true, allowTls: true);
        var frontDoor = ClientConfiguration.ReadFrontDoor(section, listen);
        var operations = OperationsConfiguration.Read(section, listen);
        var peers = ReadPeers(section.Object("gossip"));
        var proxies = ProxyKeys.Read(section);
        var stateDirectory = ReadStateDirectory(section, isCheck);
        var logs = Unique(section, "logs", [.. section.List("logs").Select(ReadLog)], log => log.Elector.Name);
        var upstreams = Unique(
            section, "upstreams", [.. section.List("upstreams").Select(UpstreamConfiguration.Read)], upstream => upstream.Name);
        var priority = section.Integer("priority", 30, 1, 1000);
        var deadline = section.Time("deadline", TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(4));
        var decompressions = section.Integer("decompressions", 16, 1, 1000);
        var decisionMemory = section.Integer("decisionMemory", 64, 1, 65_536);
        var onUndecided = section.Choice("onUndecided", OnUndecided.NotFound);
        var (key, keyFile, isKeyMissing) = ReadKey(section, stateDirectory);
        var previous = ReadPreviousKeys(section);
        var redis = RedisConfiguration.Read(section);
        var narStore = ReadNarStore(section, stateDirectory, store, proxies, isCheck);
        var caches = Unique(
            section, "caches", [.. section.List("caches").Select(cache => ReadCache(cache, store))], cache => cache.Elector.Name);
        var proofs = Unique(section, "proofs", [.. section.List("proofs").Select(ProofConfiguration.Read)], proof => proof.Elector.Name);
        string[] own = [.. listen, .. operations.Listen];
        CheckOthers(section, "upstreams", own, upstreams.Select(upstream => ("url", upstream.Url)));
        CheckOthers(section, "logs", own, logs.Select(log => (log.IsExport ? "exportUrl" : "url", log.Url)));
        CheckOthers(section, "caches", own, caches.Select(cache => ("url", cache.Url)));
        CheckOthers(section, "proofs", own, proofs.Select(proof => ("url", proof.Url)));
        var policy = PolicyConfiguration.Read(section,
            [.. logs.Select(log => log.Elector), .. caches.Select(cache => cache.Elector), .. proofs.Select(proof => proof.Elector)],
            new[] { key }.Concat(previous).OfType<NixSecretKey>().SelectMany(own => OwnKeys(own, store)), store);
        return policy is null || key is null ? null : new ServeConfiguration(
            new SubstituterOptions
            {
                FrontDoor = frontDoor,
                Answers = new AnswerOptions { Priority = priority, OnUndecided = onUndecided },
                OperationsListen = operations.Listen,
                OperationsHosts = operations.Hosts,
                WantedReaders = operations.WantedReaders,
                WantedExclude = operations.WantedExclude,
                GossipPeers = peers,
                Proxies = proxies,
                StateDirectory = stateDirectory,
                SigningKey = key,
                PreviousSigningKeys = previous,
                Redis = redis,
                NarStore = narStore,
                Policy = policy,
                Logs = logs,
                Caches = caches,
                Proofs = proofs,
                Upstreams = upstreams,
                Deadline = deadline,
                Decompressions = decompressions,
                DecisionMemory = (long)decisionMemory << 20,
            },
            keyFile,
            isKeyMissing,
            operations.Otlp);
    }

    /// <summary>Lists what is allowed but weaker than it may look.</summary>
    public IEnumerable<string> Warnings() => ServeWarnings.Of(this);

    private static string ReadStateDirectory(Section section, bool isCheck)
    {
        var directory = CommonKeys.StateDirectory(section, "trustix-proxy", isCheck);
        if (ServiceUrl.FaultOfSocket(Path.Combine(directory, "control.sock")) is not null)
        {
            section.Fault("stateDirectory",
                $"is '{directory}', which is too long: the path of the unix socket in it has at most {ServiceUrl.MaxSocketPath} "
                    + "bytes. Choose a shorter one.");
        }

        return directory;
    }

    private static LogOptions ReadLog(Section section)
    {
        var name = section.Name("name", null, "\"alice\"");
        var isRequired = section.Choice("inclusionProof", InclusionProofs.Required) is InclusionProofs.Required;
        var isExport = section.Has("exportUrl");
        var node = isExport && !section.Has("url") ? null : CommonKeys.Url(section, "url", allowUnix: true);
        var url = isExport ? CommonKeys.CacheUrl(section, "exportUrl") : node!;
        if (section.Text("protocol", "nix") is { } protocol && protocol is not "nix")
        {
            section.Fault("protocol", $"is '{protocol}'; it must be \"nix\".");
        }

        var keyText = section.Required("publicKey", "the base64 that the log's operator publishes");
        if (!LogKey.TryParse(keyText.Trim(), out var key, out var error) && keyText.Length > 0)
        {
            section.Fault("publicKey", error is Ed25519KeyError.Weak
                ? $"is '{keyText}', which {CommonKeys.WeakKey}."
                : $"is '{keyText}'; it must be the base64 of the log's 32-byte Ed25519 public key"
                    + $"{(keyText.Contains(':', StringComparison.Ordinal) ? $", without '{keyText.Split(':')[0]}:' before it" : "")}.");
        }

        var (operatorName, keyForm) = (section.Name("operator", name, ""), section.Choice("keyForm", LogKeyForm.StorePath));
        var elector = new Elector.Log(name, operatorName, key ?? CommonKeys.UnreadKey, keyForm, isRequired)
        {
            Witnesses = DemandConfiguration.Read(section, key),
            Tags = CommonKeys.Tags(section),
        };
        var isMirrored = section.Choice("mode", LogMode.Light) is LogMode.Mirror;
        if (isExport && (!isMirrored || node is not null))
        {
            section.Fault("exportUrl", isMirrored
                ? $"is '{url}', which replaces 'url': remove that."
                : $"is '{url}', which needs \"mode\": \"mirror\": files can be mirrored, but not queried for one path.");
        }

        return new LogOptions(elector, url, isMirrored, isExport) { Tls = TlsKeys.Read(section, url) };
    }

    private static ImmutableArray<Uri> ReadPeers(Section section)
    {
        var peers = new List<Uri>();
        foreach (var text in section.Texts("peers"))
        {
            if (ServiceUrl.FaultOf(text, UrlForms.Web, out var peer, out _) is { } fault)
            {
                section.Fault("peers", $"{(fault.StartsWith("is ", StringComparison.Ordinal) ? $"has {fault[3..]}" : fault)} A peer is "
                    + "another proxy's operations listener: http://host:8081.");
            }
            else
            {
                peers.Add(peer!);
            }
        }

        return [.. peers];
    }

    private static IEnumerable<CacheKey> OwnKeys(NixSecretKey key, Store store) =>
        store == Store.Guix ? [key.PublicKey, GuixSecretKey.Of(key).PublicKey] : [key.PublicKey];

    private static CacheOptions ReadCache(Section section, Store store)
    {
        var name = section.Name("name", null, "\"cache.nixos.org\"");
        var url = CommonKeys.CacheUrl(section, "url", UrlForms.Bucket, out _, out _);
        var keys = CommonKeys.PublicKeys(section, "publicKeys", store);
        if (!section.Has("publicKeys"))
        {
            section.Fault("publicKeys", store == Store.Guix
                ? "is missing. Name the keys that the cache signs with, as in its signing-key.pub: [\"(public-key (ecc …))\"]."
                : "is missing. Name the keys that the cache signs with, as in nix.conf's trusted-public-keys: [\"cache.nixos.org-1:…\"].");
        }

        var elector = new Elector.Cache(name, section.Name("operator", name, ""), [.. keys]) { Tags = CommonKeys.Tags(section) };
        var protocol = section.Choice("protocol", CacheProtocol.NarInfo);
        if (protocol is CacheProtocol.Lila && store == Store.Guix)
        {
            section.Fault("protocol", "is 'lila', whose rebuilders build for /nix/store only; remove this cache, or change 'store'.");
        }

        return new CacheOptions(elector, url, protocol) { Tls = TlsKeys.Read(section, url) };
    }

    /// <summary>Refuses a peer that is this proxy itself.</summary>
    public static void CheckOthers(Section section, string list, string[] own, IEnumerable<(string Key, Uri Url)> peers)
    {
        foreach (var (i, (key, url)) in peers.Index())
        {
            if (OwnAddresses.ListenerAt(own, url) is { } address)
            {
                section.Fault($"{list}[{i}].{key}",
                    $"is '{url}', where this proxy itself listens ('{address}'): it would query itself. Give the right server, or "
                        + $"remove the entry.");
            }
        }
    }

    public static ImmutableArray<T> Unique<T>(Section section, string key, ImmutableArray<T> items, Func<T, string> name)
    {
        foreach (var twice in items.GroupBy(name).Where(group => group.Key.Length > 0 && group.Count() > 1))
        {
            section.Fault(key, $"has the name '{twice.Key}' {twice.Count()} times; each needs its own.");
        }

        return items;
    }

    public static (NixSecretKey? Key, string File, bool IsMissing) ReadKey(Section section, string stateDirectory)
    {
        const string key = "signingKeyFile";
        var path = Path.GetFullPath(section.Text(key) ?? Path.Combine(stateDirectory, "signing.key"));
        if (!Path.Exists(path))
        {
            return (NixSecretKey.Generate($"{HostName.Own}-trustix-1"), path, true);
        }

        if (!Configuration.KeyFile.TryRead(path, allowBare: false, out var found, out var fault))
        {
            section.Fault(key, fault);
        }

        return (found, path, false);
    }

    private static ImmutableArray<NixSecretKey> ReadPreviousKeys(Section section)
    {
        const string name = "previousSigningKeyFiles";
        var keys = new List<NixSecretKey>();
        foreach (var path in section.Texts(name))
        {
            if (Configuration.KeyFile.TryRead(Path.GetFullPath(path), allowBare: false, out var key, out var fault))
            {
                keys.Add(key);
            }
            else
            {
                section.Fault(name, fault.Replace("is '", "has '", StringComparison.Ordinal));
            }
        }

        return [.. keys];
    }

    private static NarStoreOptions? ReadNarStore(
        Section section, string stateDirectory, Store paths, HttpProxies proxies, bool isCheck)
    {
        var store = section.Object("narStore");
        return section.Has("narStore")
            ? new NarStoreOptions(CommonKeys.WritableDirectory(store, "directory", Path.Combine(stateDirectory, "nars"), isCheck),
                store.Size("maxSize", "10GiB"), [.. CommonKeys.Globs(store, "pinned")])
            {
                Store = paths,
                Shared = SharedStoreConfiguration.Read(store, paths, proxies),
            }
            : null;
    }

    private enum LogMode
    {
        Light,
        Mirror,
    }

    private enum InclusionProofs
    {
        Required,
        Optional,
    }
}
