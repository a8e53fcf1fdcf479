using System.Text;
using Microsoft.Extensions.Configuration;

namespace TrustixProxy.Configuration;

/// <summary>All keys of the five configurations: found by having their readers read nothing, so that none is forgotten.</summary>
internal static class ConfigurationKeys
{
    private const string Url = "http(s)://host[:port][/path]", LogUrl = $"{Url} or unix:/path",
        ListenUrl = "http://ip:port or http://localhost:port", Glob = "a glob with `*` and `?`";

    private static readonly Dictionary<string, KeyMeaning> Rules = new()
    {
        ["quorum"] = new("How many operators must agree. One of `quorum`, `percent` and `rule`.")
        {
            Default = "a majority",
            Range = "1 to the number of operators"
        },
        ["percent"] = new("The quorum as a percentage of the declared electorate, rounded up.")
        {
            Type = "number",
            Range = "above 0, at most 100"
        },
        ["rule.quorum"] = new("How many members of the group must agree.") { Default = "required", Range = "1 to the number of members" },
        ["rule.of"] = "The group: names of operators, and groups `{\"quorum\": …, \"of\": […]}`; no operator twice.",
        ["dissent"] = "`outvoted`: the quorum decides. `veto`: one proven dissent refuses.",
    };

    /// <summary>Said of each listener that clients share by their addresses.</summary>
    internal static readonly KeyMeaning PerClient =
        new("Connections per address (IPv6: per /64); more are closed immediately. Unix sockets are exempt. 0 = unlimited.")
        { Default = "half of `limits.connections`", Range = "0 to 10000000" };

    private const string Tags = "What its operator says about it, such as country or system, for `policy.distinct`.";

    private static readonly Dictionary<string,
        KeyMeaning> Serve = new([.. Prefixed("policy.", Rules), .. Prefixed("policy.scopes[].", Rules),
            .. Prefixed("narStore.s3.", SharedStoreConfiguration.Meanings),
            .. new[] { "upstreams[].", "logs[].", "caches[].", "proofs[].", "redis." }
                .SelectMany(peer => Prefixed(peer, TlsKeys.Meanings))])
        {
            ["store"] = new("The store whose paths are decided on. It decides the form of narinfos and of `caches[].publicKeys`.")
            {
                Range = "`/nix/store`, `/gnu/store`"
            },
            ["listen"] = new("Addresses that Nix clients use. Sockets passed by systemd replace them.")
            { Range = $"{ListenUrl}, also with https, or unix:/path" },
            ["tls.certificateFile"] = new("Certificate for https addresses: PEM, the leaf first, then its issuers. If set, "
                + "sockets passed by systemd use TLS too.")
            { Type = "path", Default = "no TLS" },
            ["tls.keyFile"] = new("The certificate's private key: PEM, not encrypted.") { Type = "path" },
            ["clients.basicFile"] = new(
                "File (mode 0600) of `name:password` lines for HTTP Basic, as Nix sends from `netrc-file`. Without this, "
                    + "`bearerFile` and `certificateAuthorityFile`, anyone may connect.")
            { Type = "path" },
            ["clients.bearerFile"] = new(
            "File (mode 0600) of `name:token` lines, for `Authorization: Bearer TOKEN`.")
            { Type = "path" },
            ["clients.certificateAuthorityFile"] = new("Certificates (PEM) of the authorities that issue client certificates. A client's "
                + "name is its certificate's common name, else its first DNS name, URI or mail address.")
            { Type = "path" },
            ["clients.revocationListFile"] = new("Revocation lists (CRL, PEM or DER) that these authorities signed. Replace the file when "
                + "they publish new ones.")
            { Type = "path" },
            ["clients.concurrency"] =
                "Concurrent requests per client; 0 = unlimited. A client is identified by the name it authenticates as, else by "
                    + "its address.",
            ["clients.requestsPerSecond"] = "Sustained requests per second per client; 0 = unlimited.",
            ["clients.bytesPerSecond"] = new("Sustained bytes per second sent to each client; 0 = unlimited.")
            { Range = "0, or 1000 to 2147483647" },
            ["clients.waiting"] = "Queued requests per client; more get 503 with `Retry-After`.",
            ["limits.connections"] = new(
                "Concurrent client connections. More wait for at most one `deadline`, while the oldest are closed after their "
                    + "current answer; then they get 503 with `Retry-After`. 0 = unlimited.")
            {
                Default = "half of the process's open file limit, at most 16384",
                Range = "0 to 10000000",
            },
            ["limits.connectionsPerClient"] = new("Connections per address (IPv6: per /64); more are closed immediately. Unix "
                + "sockets and proxies in `forwardedFrom` are exempt; for each client behind such a proxy, this limits concurrent "
                + "requests. 0 = unlimited.")
            {
                Default = "half of `limits.connections`",
                Range = "0 to 10000000",
            },
            ["limits.leastBytesPerSecond"] = "Minimum rate at which a client must read an answer; a client 5 s behind it is disconnected.",
            ["limits.concurrency"] =
                "Concurrent requests and decisions over all clients, who take turns. 0 = unlimited requests and 2000 decisions.",
            ["limits.requestsPerSecond"] = "Sustained requests per second over all clients; 0 = unlimited.",
            ["limits.bytesPerSecond"] = new(
            "Sustained bytes per second sent to all clients together; 0 = unlimited.")
            { Range = "0, or 1000 to 2147483647" },
            ["limits.waiting"] =
            "Queued requests over all clients, and queued connections; more get 503 with `Retry-After`.",
            ["forwardedFrom"] = new("Trusted reverse proxies, whose `X-Forwarded-For` is honoured.")
            { Range = "addresses, networks, and `unix:` for clients of unix sockets" },
            ["operations.listen"] = new("Addresses of the operations listener (health, metrics, dashboard); `[]` disables it.")
            { Range = ListenUrl },
            ["operations.hosts"] = "Host names that the operations listener accepts, in addition to loopback names.",
            ["operations.otlp"] = new(
            "OTLP/HTTP endpoint for metrics and decision traces; `v1/traces` and `v1/metrics` are appended.")
            { Default = "nowhere", Range = Url },
            ["operations.wantedTokenFile"] = new("File (mode 0600) with one line: the bearer token that `/wanted` asks everyone for. "
                + "Without it, `/wanted` answers this machine only.")
            { Type = "path", Default = "none" },
            ["operations.wantedExclude"] = new(
                "Store path names (the part after the digest) that the work list neither shows nor stores; their derivations too.")
            { Range = Glob },
            ["gossip.peers"] = new(
                "Operations listeners of other proxies to exchange the logs' signed heads with.")
            { Range = Url },
            ["proxy"] = new("HTTP proxy for requests to upstreams, caches, logs and peers, except to this machine and hosts in "
                + "`no_proxy`. `environment` reads `http_proxy`, `https_proxy` and `all_proxy`.")
            {
                Range = "`http://host:port` (or `https:`, `socks5:`), `environment`, `none`",
            },
            ["proxyCredentialsFile"] = new("File (mode 0600) with one line `user:password` for the HTTP proxy. Sent only to the proxy.")
            { Type = "path", Default = "none" },
            ["stateDirectory"] = new("Directory for decisions and the verified views of logs.")
            {
                Type = "path",
                Default = "`$XDG_STATE_HOME/trustix-proxy`, `/var/lib/trustix-proxy` for root, else `~/.local/state/trustix-proxy`"
            },
            ["signingKeyFile"] = new("The signing key that clients trust, in Nix's form `name:base64`. Created if missing.")
            {
                Type = "path",
                Default = "`signing.key` in `stateDirectory`"
            },
            ["previousSigningKeyFiles"] = new(
            "Rotated-out keys: decisions they sealed are still accepted, nothing new is signed with them.")
            { Type = "list of paths" },
            ["redis.configuration"] = new("The Redis shared by replicas, as a StackExchange.Redis configuration string without a password: "
                + "one server, Sentinels with `serviceName=`, or nodes of a Cluster.")
            { Default = "none: this proxy is alone", Range = "host:port[,host:port…][,user=…,ssl=true…], or unix:/path" },
            ["redis.keyPrefix"] = new("Prefix of every Redis key and channel.") { Range = "printable ASCII without spaces" },
            ["redis.passwordFile"] = new("File (mode 0600) with one line: the Redis password.") { Type = "path", Default = "no password" },
            ["narStore.directory"] = new(
                "Directory for verified NARs, which are served even when no upstream is reachable. Disabled unless a key of "
                    + "`narStore` is set.")
            { Type = "path", Default = "`nars` in `stateDirectory`" },
            ["narStore.maxSize"] =
            "Maximum total size; least recently used NARs are evicted first. Files still being written are not counted.",
            ["narStore.pinned"] = new("Store path names (the part after the digest) whose NARs are never evicted.") { Range = Glob },
            ["logs"] = "Trustix logs that vote.",
            ["logs[].name"] = "Name used in answers and messages.",
            ["logs[].operator"] = new("Operator that runs it. Each operator has one vote.") { Default = "the name" },
            ["logs[].url"] = new("Address of the log; not together with `exportUrl`.") { Range = LogUrl },
            ["logs[].exportUrl"] = new("Address of the static files written by the operator's `log export`. The mirror follows "
                + "these files; the log's node is never contacted.")
            { Type = "text", Range = $"{Url} or file:///path", Default = "none" },
            ["logs[].publicKey"] = new("Its Ed25519 public key.") { Range = "base64 of 32 bytes" },
            ["logs[].protocol"] = new("Kind of statements in the log.") { Range = "nix" },
            ["logs[].keyForm"] =
                "How the log keys a path: by store path name (`storePath`), or like Trustix's own binary cache proxy.",
            ["logs[].mode"] =
                "`light` looks up each path. `mirror` downloads and verifies the whole log, which therefore learns no requested path.",
            ["logs[].inclusionProof"] =
                "Whether the map must be tied to the append-only log: each entry, and each head's map root to its map-head log. "
                + "Use `optional` for Trustix's own daemon, whose call for this fails.",
            ["logs[].origin"] = new("The log's name in checkpoints, which its operator publishes. Needs `witnesses`.")
            { Range = "text without spaces and plus signs", Default = "none" },
            ["logs[].witnesses"] = new("tlog-policy file: the witnesses, and how many must have cosigned each head. Its votes under "
                + "other heads do not count. Needs `origin`.")
            { Type = "path", Default = "none" },
            ["logs[].witnessedWithin"] = "Maximum age of the newest cosignature.",
            ["logs[].tags"] = Tags,
            ["caches[].tags"] = Tags,
            ["proofs[].tags"] = Tags,
            ["caches"] = "Signed binary caches and rebuilders that vote.",
            ["caches[].name"] = "Name used in answers and messages.",
            ["caches[].operator"] = new("Operator that runs it. Each operator has one vote.") { Default = "the name" },
            ["caches[].url"] = new("Address of the cache. The credentials are those of the upstream with this address.")
            { Range = $"{Url} or s3://bucket" },
            ["caches[].publicKeys"] = new(
                "Its signing keys, as in `trusted-public-keys`; for `/gnu/store` as in its `signing-key.pub`.")
            { Default = "required", Range = "name:base64, or (public-key …)" },
            ["caches[].protocol"] = "How it publishes: a binary cache's narinfos (`narInfo`), or a rebuilder's attestations on a lila "
                + "server (`lila`), which `publicKeys` select.",
            ["proofs"] = "Servers of proof files that vote.",
            ["proofs[].name"] = "Name used in answers and messages.",
            ["proofs[].operator"] = new("Operator that runs the log, or owns the `publicKeys`. Each operator has one vote.")
            { Default = "the name" },
            ["proofs[].url"] = new("Address of the directory with the files `DIGEST.tlog-proof`, or `DIGEST.sigsum` with "
                + "`publicKeys`.")
            { Range = Url },
            ["proofs[].policyFile"] = new(
                "File in C2SP's tlog-policy form: the log's key, the witnesses, and how many must have cosigned.")
            { Type = "path" },
            ["proofs[].publicKeys"] = new("Keys that sign for a log of Sigsum. With them the files are Sigsum's proofs, and one of the "
                + "keys must have signed.")
            { Range = "`ssh-ed25519 …`, or 64 hexadecimal digits" },
            ["upstreams"] = "Binary caches to fetch NARs from. They need not be trusted.",
            ["upstreams[].name"] = "Name used in messages.",
            ["upstreams[].url"] = new(
            "Address of the cache; `file:` for a folder written by `nix copy --to`, `s3:` for a bucket, with the parameters of nix.conf.")
            { Range = $"{Url}, file:///path or s3://bucket" },
            ["upstreams[].credentialsFile"] = new(BucketCredentials.FileMeaning) { Type = "path", Default = "none" },
            ["upstreams[].instanceRole"] = new(BucketCredentials.RoleMeaning) { Default = "`false`" },
            ["upstreams[].netrcFile"] = new("File (mode 0600) in Nix's `netrc-file` form with login, password or both for its "
                + "host. Sent only to its own origin.")
            { Type = "path", Default = "none" },
            ["upstreams[].bearerFile"] = new("File (mode 0600) with one line: a bearer token. Sent only to its own origin.")
            { Type = "path", Default = "none" },
            ["upstreams[].priority"] = "Lower values are tried first. Without this key, `?priority=N` in `url` applies, as in nix.conf.",
            ["upstreams[].narDeadline"] =
            "Maximum wait for a NAR's first byte, and maximum pause during the download. Then it resumes at its offset, from the "
                + "same or another upstream.",
            ["upstreams[].concurrency"] =
                "Concurrent requests to it, narinfos and NARs together; more are queued. Probes are not counted. 0 = unlimited.",
            ["upstreams[].match"] = new("Store path names (the part after the digest) to request from it.")
            { Default = "all", Range = Glob },
            ["upstreams[].except"] = new("Store path names never requested from it.") { Range = Glob },
            ["priority"] = "Priority reported to Nix; caches with lower values are tried first.",
            ["decisionMemory"] = "Maximum memory for cached decisions, in megabytes.",
            ["decompressions"] =
                "Concurrent NAR decompressions, each with a window of at most 128 MiB (two for a file that was compressed twice); "
                + "more are queued for at most one `deadline`.",
            ["deadline"] = "Maximum time to wait for electors and upstreams together, per request.",
            ["onUndecided"] = "Status sent to the client when the deadline passes: 404 or 503.",
            ["mode"] = "`report` serves whatever `fallback` signed and only records when others disagree.",
            ["fallback"] = new("The cache whose signed paths are served in report mode.") { Range = "a name in `caches`" },
            ["policy.scopes"] = "Different rules for some store paths; the first match applies.",
            ["policy.scopes[].quorum"] = new(
            "How many operators must agree on these.")
            { Default = "the policy's rule", Range = "1 to the number of operators" },
            ["policy.scopes[].dissent"] = new("As in `policy`.") { Default = "the policy's" },
            ["policy.scopes[].minimumAge"] = new("As in `policy`.") { Default = "the policy's" },
            ["policy.minimumAge"] = new("The time for which logs must have held the votes that make a quorum. Only logs can show it."),
            ["policy.scopes[].match"] = new("Store path names (the part after the digest).") { Range = Glob },
            ["policy.exceptions"] = "Paths served without a quorum until a given time.",
            ["policy.exceptions[].match"] = new("Store path names (the part after the digest).") { Range = Glob },
            ["policy.exceptions[].accept"] = new("The cache whose signature is accepted, or the NAR that is.")
            { Range = "`cache:NAME`, or a NAR hash `sha256:…`" },
            ["policy.exceptions[].reason"] = "Reason, shown in the answer.",
            ["policy.exceptions[].expires"] = new("Expiry, in UTC.") { Range = "2027-01-31 or 2027-01-31T12:00:00Z" },
            ["policy.distinct"] = new("How many different values of each tag a quorum must span, under every rule. An operator has the "
                + "value that all its electors have."),
            ["policy.contentAddressed"] = new(
                "Whether to serve content-addressed paths, which prove themselves, without a quorum.")
            { Default = "true" },
            ["policy.closure"] = new("Whether to serve a path only when its whole closure is served.") { Default = "false" },
        };

    private static readonly Dictionary<string, KeyMeaning> LogServe = new()
    {
        ["listen"] = new("Addresses of the public, read-only listener.") { Range = $"{ListenUrl}, or unix:/path" },
        ["limits.connections"] = new("Concurrent connections to `listen`, and to `privateListen`. More wait at most 10 s, while "
            + "the oldest are closed after their current answer. 0 = unlimited.")
        {
            Default = "three eighths of the process's open file limit, at most 12288",
            Range = "0 to 10000000",
        },
        ["limits.connectionsPerClient"] = PerClient,
        ["privateListen"] = new("Addresses of the private listener: submissions, `/healthz` and `/metrics`.")
        { Range = $"{ListenUrl}, or unix:/path" },
        ["stateDirectory"] = new("Directory for the logs.")
        {
            Type = "path",
            Default = "`$XDG_STATE_HOME/trustix-log`, `/var/lib/trustix-log` for root, else `~/.local/state/trustix-log`"
        },
        ["logs"] = new("The logs to serve.") { Default = "required" },
        ["logs[].name"] = new("Name of the log and of its file.") { Type = "name", Range = "letters, digits, `-_.`" },
        ["logs[].protocol"] = new("Kind of statements in the log.") { Range = "nix" },
        ["logs[].privateKeyFile"] = new(
            "File (mode 0600) with the key that signs heads: `name:base64`, or Trustix's bare base64 of 64 bytes.")
        {
            Type =
            "path"
        },
        ["logs[].origin"] = new("The log's name in C2SP checkpoints and to witnesses; without it the log has no "
            + "checkpoints. Never change it.")
        { Range = "at most 200 characters, no space, no `+`: `log.alice.example/nix`" },
        ["logs[].witnesses.policyFile"] = new("tlog-policy file: the witnesses with their addresses, and how many must cosign a head. "
            + "Needs `origin`.")
        { Type = "path", Default = "no witnesses" },
        ["logs[].witnesses.interval"] = "Time between rounds of asking witnesses.",
        ["logs[].witnesses.publish"] =
            "`witnessed`: readers see a head once it has its quorum. `always`: at once, and cosignatures follow.",
        ["logs[].writeTokens"] = new("Public halves of the tokens allowed to submit.") { Range = "name:base64" },
        ["referenceTokens"] = new(
            "Whether to accept Trustix's own tokens, which can be replayed.")
        { Default = "on loopback and unix sockets only" },
        ["flushInterval"] = new(
            "How long submissions are batched under one head; 0 signs a head for each submission before answering.")
        {
            Range =
            "00:00:00, or 00:00:00.010 to 01:00:00"
        },
        ["historyWindow"] = "How long map roots of older heads can still be queried.",
    };

    private static readonly Dictionary<string, KeyMeaning> Publish = new()
    {
        ["log.url"] = new("The log node's private listener.") { Range = LogUrl },
        ["log.tokenFile"] = new("File (mode 0600) with the write token.") { Type = "path" },
        ["log.name"] = new("Name of the log, if the node has several.") { Type = "name", Default = "the only one" },
        ["spoolDirectory"] = new("Directory where the hook leaves its jobs.") { Type = "path", Default = "`/var/spool/trustix`" },
        ["store"] = new("The store whose builds are published. Nix's hook tells of builds; those of Guix are found in its database.")
        { Type = "path", Default = "`/nix/store`", Range = "`/nix/store`, `/gnu/store`" },
        ["guixState"] = new("Guix's state directory; its build logs are in `../log/guix`. Only with the store `/gnu/store`.")
        { Type = "path", Default = "`/var/guix`" },
        ["include"] = new("Store path names (the part after the digest) to publish.") { Default = "all", Range = Glob },
        ["exclude"] = new("Store path names never published. Outputs that refer to such a path are left out too, because a log "
            + "shows references to everyone.")
        { Range = Glob },
        ["fetched"] = new("Whether to also publish paths not built on this machine (`\"ultimate\": false`: fetched, or built by a "
            + "remote builder).")
        { Default = "false" },
        ["listen"] = new("Addresses of `/healthz` and `/metrics`; none by default.") { Range = $"{ListenUrl}, or unix:/path" },
    };

    private static readonly Dictionary<string, KeyMeaning> Rebuild = new()
    {
        ["rebuilder.wanted"] = new("Operations listeners of proxies whose work lists (`/wanted`) it rebuilds.") { Range = Url },
        ["rebuilder.wantedTokenFile"] = new("File (mode 0600) with the bearer token of those lists.") { Type = "path" },
        ["rebuilder.name"] = new("Its name: decides, with `store`, where it begins in a work list that gives no turns.")
        {
            Default = "the machine's name",
            Range = "letters, digits, `-_.`; at most 64",
        },
        ["rebuilder.store"] = new("Folder of its own store, in which alone it builds, and of its records.")
        {
            Type = "path",
            Default = "`$XDG_STATE_HOME/trustix-rebuilder`, `/var/lib/trustix-rebuilder` for root, else "
                + "`~/.local/state/trustix-rebuilder`",
        },
        ["rebuilder.spoolDirectory"] = new("The spool that `publish` submits from.") { Type = "path", Default = "`/var/spool/trustix`" },
        ["rebuilder.expressions"] = new("Where it finds derivations that this machine's store lacks. Import from derivation is refused.")
        {
            Range = "`FILE`, `FILE#ATTRIBUTE`, or a flake's `REFERENCE#ATTRIBUTE`",
        },
        ["rebuilder.inputs"] = "`proxy`: the inputs of a build are fetched from `substituter`. `build`: they are built here, too.",
        ["rebuilder.substituter"] = new("The only cache that inputs come from. The local proxy serves what had a quorum.")
        {
            Range = $"{Url} or file:///path",
        },
        ["rebuilder.publicKeys"] = new("Keys whose signatures it accepts on inputs: the proxy's.") { Range = "name:base64" },
        ["rebuilder.jobs"] = "Builds at once. More than 1 needs root and the group `nixbld`.",
        ["rebuilder.time"] = "Time for one build, and for fetching its inputs.",
        ["rebuilder.disk"] = "Disk space for one build.",
        ["rebuilder.totalDisk"] = "Disk space for the store, with logs and temporary files. Before a build, room for it (`disk`, at most "
            + "half of this) is made; one that would exceed it ends and waits.",
        ["rebuilder.retries"] = "How often a build that failed, or broke the rebuilder down, is tried again.",
        ["rebuilder.backoff"] = "Pause before the first retry; doubles with each.",
        ["rebuilder.interval"] = "Time between two looks at an empty work list.",
        ["rebuilder.include"] = new("Store path names (the part after the digest) to rebuild.") { Default = "all", Range = Glob },
        ["rebuilder.exclude"] = new("Store path names never rebuilt or published.") { Range = Glob },
        ["rebuilder.systems"] = new("Systems that it builds for.") { Default = "this machine's", Range = "`x86_64-linux`, …" },
    };

    /// <summary>All keys as tables of Markdown, each with type, default, range and meaning.</summary>
    public static string ToMarkdown()
    {
        var text = new StringBuilder();
        Write(text, "serve", section => ServeConfiguration.Read(section, isCheck: true), Serve);
        Write(text, "log serve", section => LogServeConfiguration.Read(section, isCheck: true), LogServe);
        Write(text, "publish", section => PublishConfiguration.Read(section, isCheck: true), Publish);
        Write(text, "rebuild", section => RebuildConfiguration.Read(section, isCheck: true), Rebuild);
        Write(text, "apt serve", section => AptConfiguration.Read(section, isCheck: true),
            Prefixed("policy.", Rules).Concat(Prefixed("policy.scopes[].", Rules)).Concat(AptConfigurationKeys.Own)
                .GroupBy(entry => entry.Key).ToDictionary(group => group.Key, group => group.Last().Value));
        return text.ToString();
    }

    private static void Write(StringBuilder text, string verb, Action<Section> readAll, Dictionary<string, KeyMeaning> meanings)
    {
        var keys = new List<ConfigurationKey>();
        readAll(new Section(new ConfigurationBuilder().Build(), [], described: keys));
        var (read, explained) = (keys.Select(key => key.Path).ToHashSet(), meanings.Keys.ToHashSet());
        if (!read.SetEquals(explained))
        {
            throw new InvalidOperationException($"{nameof(ConfigurationKeys)} does not say what these keys of {verb} mean: "
                + $"{string.Join(", ", read.Except(explained))}; and nothing reads: {string.Join(", ", explained.Except(read))}.");
        }

        text.Append("| `").Append(verb).Append("` | type | default | range | |\n| --- | --- | --- | --- | --- |\n");
        foreach (var key in keys)
        {
            var meaning = meanings[key.Path];
            var (type, held, range) = (meaning.Type ?? key.Type, meaning.Default ?? Quoted(key.Default), meaning.Range ?? key.Range);
            text.Append("| `").Append(key.Path).Append("` | ").Append(type).Append(" | ").Append(held).Append(" | ").Append(range)
                .Append(" | ").Append(meaning.Meaning).Append(" |\n");
        }

        text.Append('\n');
    }

    private static string Quoted(string? value) => value is null ? "required" : value is "" ? "" : $"`{value}`";

    private static IEnumerable<KeyValuePair<string, KeyMeaning>> Prefixed(
        string prefix, IReadOnlyDictionary<string, KeyMeaning> meanings) =>
        meanings.Select(entry => KeyValuePair.Create(prefix + entry.Key, entry.Value));
}
