using System.Text;
using Microsoft.Extensions.Configuration;

namespace TrustixProxy.Configuration;

/// <summary>All keys of the three configurations: found by having their readers read nothing, so that none is forgotten.</summary>
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
        ["percent"] = new("The same as a part of the declared electorate, rounded up.") { Type = "number", Range = "above 0, at most 100" },
        ["rule.quorum"] = new("How many members of the group must agree.") { Default = "required", Range = "1 to the number of members" },
        ["rule.of"] = "The group: names of operators, and groups `{\"quorum\": …, \"of\": […]}`; no operator twice.",
        ["dissent"] = "`outvoted`: the quorum decides. `veto`: one proven dissent refuses.",
    };

    private static readonly Dictionary<string,
        KeyMeaning> Serve = new(Prefixed("policy.", Rules).Concat(Prefixed("policy.scopes[].", Rules)))
        {
            ["listen"] = new("Where Nix clients ask. Sockets that systemd passes take the place of these.")
            {
                Range =
            $"{ListenUrl}, the same with https, or unix:/path"
            },
            ["tls.certificateFile"] = new("What is shown at https addresses: PEM, the certificate and then those above it. Sockets that "
            + "systemd passes speak TLS when it is there.")
            { Type = "path", Default = "no TLS" },
            ["tls.keyFile"] = new("The certificate's private key: PEM, not encrypted.") { Type = "path" },
            ["clients.basicFile"] = new(
                "Who may ask: a line `name:password` each, as Nix shows them out of its `netrc-file`. For its owner's "
            + "eyes only. Everyone may, without this and `bearerFile`.")
            { Type = "path" },
            ["clients.bearerFile"] = new(
            "Who may ask: a line `name:token` each, for `Authorization: Bearer TOKEN`. For its owner's eyes only.")
            { Type = "path" },
            ["clients.concurrency"] =
                "How many requests of one client are answered at once; 0: no limit. A client is known by the name that "
            + "it shows a secret for, else by its address.",
            ["clients.requestsPerSecond"] = "How many of one client in a second, in the long run; 0: no limit.",
            ["clients.bytesPerSecond"] = new(
            "How many bytes one client is sent in a second, in the long run; 0: no limit.")
            { Range = "0, or 1000 to 2147483647" },
            ["clients.waiting"] = "How many requests of one client wait for their turn; those beyond get 503 with `Retry-After`.",
            ["limits.connections"] = new(
                "How many connections clients may have at once. Those beyond wait up to a `deadline` for their turn, "
            + "while the oldest are closed after what they answer; then they get 503 with `Retry-After`. 0: no limit.")
            {
                Default = "half of the files that the system lets it open, at most 16384",
                Range = "0 to 10000000",
            },
            ["limits.connectionsPerClient"] = new("How many of them one address may have (IPv6: one /64); those beyond are closed at once. "
            + "Unix sockets are exempt, and so are proxies of `forwardedFrom`: there it is how many requests at once each client behind "
            + "them may have. 0: no limit.")
            {
                Default = "half of `limits.connections`",
                Range = "0 to 10000000",
            },
            ["limits.leastBytesPerSecond"] = "A client that takes an answer more slowly than that, once it is 5 s behind, is given up.",
            ["limits.concurrency"] =
                "How many requests of all clients are answered at once, and how many paths are decided on at once. 0: no "
            + "limit for requests, and 2000 for decisions.",
            ["limits.requestsPerSecond"] = "How many of all in a second, in the long run; 0: no limit.",
            ["limits.bytesPerSecond"] = new(
            "How many bytes all are sent in a second, in the long run; 0: no limit.")
            { Range = "0, or 1000 to 2147483647" },
            ["limits.waiting"] =
            "How many requests of all, and how many connections, wait for their turn; those beyond get 503 with `Retry-After`.",
            ["forwardedFrom"] = new("Proxies before this one, whose `X-Forwarded-For` is believed.")
            {
                Range =
            "addresses, networks, and `unix:` for whoever comes by a unix socket"
            },
            ["operations.listen"] = new("Where those ask who run the proxy; `[]`: nowhere.") { Range = ListenUrl },
            ["operations.hosts"] = "Names by which the operations listener may be asked, beside loopback's.",
            ["operations.otlp"] = new(
            "Where traces of decisions and metrics are sent, by OTLP over HTTP; `v1/traces` and `v1/metrics` are below it.")
            {
                Default =
            "nowhere",
                Range = Url
            },
            ["gossip.peers"] = new(
                "Operations listeners of other proxies, with which the logs' signed heads are exchanged.")
            { Range = Url },
            ["proxy"] = new("The HTTP proxy through which upstreams, caches, logs and peers are asked; hosts in `no_proxy` are not, nor is "
            + "this machine. `environment`: what `http_proxy`, `https_proxy` and `all_proxy` say.")
            {
                Range = "`http://host:port` (or `https:`, `socks5:`), `environment`, `none`",
            },
            ["proxyCredentialsFile"] = new("One line `user:password` that the proxy wants. Sent to the proxy alone. For its owner's eyes "
            + "only.")
            { Type = "path", Default = "none" },
            ["stateDirectory"] = new("Keeps decisions, and what logs are held to.")
            {
                Type = "path",
                Default = "`$XDG_STATE_HOME/trustix-proxy`, `/var/lib/trustix-proxy` for root, else `~/.local/state/trustix-proxy`"
            },
            ["signingKeyFile"] = new("The key that clients trust, in Nix's form `name:base64`. Made if it is not there.")
            {
                Type = "path",
                Default = "`signing.key` in `stateDirectory`"
            },
            ["previousSigningKeyFiles"] = new(
            "Keys that were rotated out: what they sealed is still believed, and nothing is signed with them.")
            { Type = "list of paths" },
            ["redis.configuration"] = new("Where replicas meet, as StackExchange.Redis writes it; no password.")
            {
                Default =
            "none: this proxy is alone",
                Range = "host:port[,host:port…][,ssl=true…]"
            },
            ["redis.keyPrefix"] = new("What every key and channel there begins with.") { Range = "printable ASCII without spaces" },
            ["redis.passwordFile"] = new("One line: its password. For its owner's eyes only.") { Type = "path", Default = "no password" },
            ["narStore.directory"] = new(
                "Keeps verified NARs, so that they are served also while no upstream is there; nothing is kept where "
            + "no key of `narStore` is set.")
            { Type = "path", Default = "`nars` in `stateDirectory`" },
            ["narStore.maxSize"] =
            "The most bytes that they have together; those whose use is longest ago make room. What is being written comes on top.",
            ["narStore.pinned"] = new("Names of store paths, after the digest, whose NARs make room for none.") { Range = Glob },
            ["logs"] = "Trustix logs that vote.",
            ["logs[].name"] = "Its name in answers and messages.",
            ["logs[].operator"] = new("Who runs it. An operator has one vote.") { Default = "the name" },
            ["logs[].url"] = new("Where it is; not with `exportUrl`.") { Range = LogUrl },
            ["logs[].exportUrl"] = new("Where the static files are that its operator's `log export` writes: a mirror follows them, and the "
            + "log's node is asked for nothing.")
            { Type = "text", Range = $"{Url} or file:///path", Default = "none" },
            ["logs[].publicKey"] = new("Its Ed25519 key.") { Range = "base64 of 32 bytes" },
            ["logs[].protocol"] = new("What it keeps.") { Range = "nix" },
            ["logs[].keyForm"] =
                "How it names a path: by the store path's name (`storePath`), or as the reference's binary cache proxy does.",
            ["logs[].mode"] =
                "How it is asked: about each path (`light`), or followed entry by entry and verified whole, so that it learns no "
            + "path (`mirror`).",
            ["logs[].inclusionProof"] =
            "Whether its map must be tied to its append-only log; `optional` for reference daemons, which fail that call.",
            ["caches"] = "Signed binary caches that vote.",
            ["caches[].name"] = "Its name in answers and messages.",
            ["caches[].operator"] = new("Who runs it. An operator has one vote.") { Default = "the name" },
            ["caches[].url"] = new("Where it is.") { Range = Url },
            ["caches[].publicKeys"] = new(
                "What it signs with, as in `trusted-public-keys`.")
            { Default = "required", Range = "name:base64" },
            ["upstreams"] = "Binary caches that NARs come from. They need not be trusted.",
            ["upstreams[].name"] = "Its name in messages.",
            ["upstreams[].url"] = new(
            "Where it is; a folder, as `nix copy --to` writes it, with `file:`.")
            { Range = $"{Url} or file:///path" },
            ["upstreams[].netrcFile"] = new("Has login and password for its host, one of them or both, as Nix's `netrc-file`. Sent to its "
            + "own origin alone. For its owner's eyes only.")
            { Type = "path", Default = "none" },
            ["upstreams[].bearerFile"] = new(
            "One line: a token that it wants. Sent to its own origin alone. For its owner's eyes only.")
            {
                Type = "path",
                Default = "none"
            },
            ["upstreams[].priority"] = "Lower ones are asked first. Without this key `?priority=N` in `url` says it, as in nix.conf.",
            ["upstreams[].narDeadline"] =
            "How long a NAR's first byte is waited for, and how long a silence may last while it comes. "
            + "Then it goes on at its offset: there again, or at another upstream.",
            ["upstreams[].concurrency"] =
                "How many requests may be under way to it at once, for narinfos and NARs together; others wait in "
            + "turn. A probe is sent beside them. 0: no limit.",
            ["upstreams[].match"] = new("Names of store paths, after the digest, that it is asked for.") { Default = "all", Range = Glob },
            ["upstreams[].except"] = new("Names of store paths that it is not asked for.") { Range = Glob },
            ["priority"] = "Which priority Nix is told that this cache has; lower ones are asked first.",
            ["decisionMemory"] = "The most megabytes that remembered decisions take in memory.",
            ["decompressions"] =
                "How many NARs are decompressed at once, each with a window of up to 128 MiB; others wait in turn, for one "
            + "`deadline` at the most.",
            ["deadline"] = "The longest that a request is held for electors and upstreams together.",
            ["onUndecided"] = "What the client is told when the deadline passes: 404, or 503.",
            ["mode"] = "`report`: what `fallback` has signed is served, and only recorded when others disagree.",
            ["fallback"] = new("The cache whose word is served in report mode.") { Range = "a name in `caches`" },
            ["policy.scopes"] = "Other rules for some store paths; the first that matches holds.",
            ["policy.scopes[].quorum"] = new(
            "How many operators must agree on these.")
            { Default = "the policy's rule", Range = "1 to the number of operators" },
            ["policy.scopes[].dissent"] = new("As in `policy`.") { Default = "the policy's" },
            ["policy.scopes[].match"] = new("Names of store paths, after the digest.") { Range = Glob },
            ["policy.exceptions"] = "Paths that are served without a quorum, for a while.",
            ["policy.exceptions[].match"] = new("Names of store paths, after the digest.") { Range = Glob },
            ["policy.exceptions[].accept"] = new("Whose word, or which NAR.") { Range = "`cache:NAME`, or a NAR hash `sha256:…`" },
            ["policy.exceptions[].reason"] = "Why; it stands in the answer.",
            ["policy.exceptions[].expires"] = new("When it ends, in UTC.") { Range = "2027-01-31 or 2027-01-31T12:00:00Z" },
            ["policy.contentAddressed"] = new(
                "Whether a path that its own address proves is served without a quorum.")
            { Default = "true" },
            ["policy.closure"] = new("Whether a path is served only when all that it refers to is.") { Default = "false" },
        };

    private static readonly Dictionary<string, KeyMeaning> LogServe = new()
    {
        ["listen"] = new("Where anyone may read.") { Range = $"{ListenUrl}, or unix:/path" },
        ["limits.connections"] = new("How many connections `listen` serves at once, and how many `privateListen`. Those beyond wait up to "
            + "10 s for their turn, while the oldest are closed after what they answer. 0: no limit.")
        {
            Default = "three eighths of the files that the system lets it open, at most 12288",
            Range = "0 to 10000000",
        },
        ["limits.connectionsPerClient"] = new(
            "How many of them one address may have (IPv6: one /64); those beyond are closed at once. Unix sockets are exempt. 0: no limit.")
        {
            Default = "half of `limits.connections`",
            Range = "0 to 10000000",
        },
        ["privateListen"] = new("Where builders write, with `/healthz` and `/metrics`.") { Range = $"{ListenUrl}, or unix:/path" },
        ["stateDirectory"] = new("Keeps the logs.")
        {
            Type = "path",
            Default = "`$XDG_STATE_HOME/trustix-log`, `/var/lib/trustix-log` for root, else `~/.local/state/trustix-log`"
        },
        ["logs"] = new("The logs that are kept.") { Default = "required" },
        ["logs[].name"] = new("Names the log's file.") { Type = "name", Range = "letters, digits, `-_.`" },
        ["logs[].protocol"] = new("What it keeps.") { Range = "nix" },
        ["logs[].privateKeyFile"] = new(
            "What it signs heads with: `name:base64`, or the reference's bare base64 of 64 bytes. For its owner's eyes only.")
        {
            Type =
            "path"
        },
        ["logs[].writeTokens"] = new("Public halves of the tokens that may write.") { Range = "name:base64" },
        ["referenceTokens"] = new(
            "Whether the reference's tokens, which can be replayed, are taken.")
        { Default = "on loopback and unix sockets only" },
        ["flushInterval"] = new(
            "How long a submission waits for others to come under one head with it; with 0 its answer says that it is under one.")
        {
            Range =
            "00:00:00, or 00:00:00.010 to 01:00:00"
        },
        ["historyWindow"] = "How long map roots of older heads stay answerable.",
    };

    private static readonly Dictionary<string, KeyMeaning> Publish = new()
    {
        ["log.url"] = new("The log node's private listener.") { Range = LogUrl },
        ["log.tokenFile"] = new("The write token. For its owner's eyes only.") { Type = "path" },
        ["log.name"] = new("Which log, where the node keeps several.") { Type = "name", Default = "the only one" },
        ["spoolDirectory"] = new("Where the hook leaves its jobs.") { Type = "path", Default = "`/var/spool/trustix`" },
        ["include"] = new("Names after the digest that are published.") { Default = "all", Range = Glob },
        ["exclude"] = new("Names after the digest that are not. Outputs that refer to such a name are left out too: a log shows references "
            + "to everyone.")
        { Range = Glob },
        ["fetched"] = new("Whether what Nix says was not built on this machine (`\"ultimate\": false`: fetched, or built by a remote "
            + "builder) is published as well.")
        { Default = "false" },
        ["listen"] = new("Where `/healthz` and `/metrics` are; nowhere unless told.") { Range = $"{ListenUrl}, or unix:/path" },
    };

    /// <summary>All keys as tables of Markdown, each with type, default, range and meaning.</summary>
    public static string ToMarkdown()
    {
        var text = new StringBuilder();
        Write(text, "serve", section => ServeConfiguration.Read(section, isCheck: true), Serve);
        Write(text, "log serve", section => LogServeConfiguration.Read(section, isCheck: true), LogServe);
        Write(text, "publish", section => PublishConfiguration.Read(section, isCheck: true), Publish);
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

    private static IEnumerable<KeyValuePair<string, KeyMeaning>> Prefixed(string prefix, Dictionary<string, KeyMeaning> meanings) =>
        meanings.Select(entry => KeyValuePair.Create(prefix + entry.Key, entry.Value));
}
