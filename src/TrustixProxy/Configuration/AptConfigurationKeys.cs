namespace TrustixProxy.Configuration;

/// <summary>What the keys of <c>apt serve</c> mean.</summary>
internal static class AptConfigurationKeys
{
    private const string Url = "http(s)://host[:port][/path]", ListenUrl = "http://ip:port or http://localhost:port",
        Glob = "a glob with `*` and `?`";

    /// <summary>All but those of rules.</summary>
    public static readonly Dictionary<string, KeyMeaning> Own = new()
    {
        ["listen"] = new("Addresses that apt uses: `http://HOST:8092/NAME`, with the `name` of an archive.")
        { Range = $"{ListenUrl}, or unix:/path" },
        ["operations.listen"] = new("Addresses of the dashboard, `/readyz` and `/metrics`; none when empty.") { Range = ListenUrl },
        ["operations.hosts"] = "Host names that the operations listener accepts, beside addresses of this machine.",
        ["limits.connections"] = new("Concurrent connections to `listen`. More wait at most 10 s, while the oldest are closed after their "
            + "current answer; then they get 503. 0 = unlimited.")
        {
            Default = "half of the process's open file limit, at most 16384",
            Range = "0 to 10000000",
        },
        ["limits.connectionsPerClient"] = ConfigurationKeys.PerClient,
        ["proxy"] = new("HTTP proxy to archives and rebuilders: an address, `environment` for `http_proxy` and `https_proxy`, or `none`.")
        { Range = "http(s)://host:port, socks5://host:port, `environment`, `none`" },
        ["proxyCredentialsFile"] = new("File (mode 0600) with `USER:PASSWORD` for `proxy`.") { Type = "path" },
        ["stateDirectory"] = new("Directory for decisions and for what indexes said.")
        {
            Type = "path",
            Default = "`$XDG_STATE_HOME/trustix-apt`, `/var/lib/trustix-apt` for root, else `~/.local/state/trustix-apt`",
        },
        ["signingKeyFile"] = new("Key of the MAC on kept decisions; created when missing.")
        { Type = "path", Default = "`signing.key` in `stateDirectory`" },
        ["deadline"] = "Maximum time to wait for rebuilders, per package.",
        ["store.directory"] = new("Directory for packages and indexes, by their SHA-256.")
        { Type = "path", Default = "`files` in `stateDirectory`" },
        ["store.maxSize"] = "Maximum disk space for them; the least recently used go first.",
        ["archives"] = new("The archives whose files pass through.") { Default = "required" },
        ["archives[].name"] = new("First part of the address at the gate.") { Type = "name", Range = "letters, digits, `-_.`" },
        ["archives[].url"] = new("The archive, or a mirror of it.") { Range = Url },
        ["rebuilders"] = new("The rebuilders whose signed attestations vote.") { Default = "required" },
        ["rebuilders[].name"] = new("Name in answers.") { Type = "name", Range = "letters, digits, `-_.`" },
        ["rebuilders[].operator"] = new("Who runs it. Each operator has one vote.") { Type = "name", Default = "`name`" },
        ["rebuilders[].url"] = new("Its rebuilderd; asked at most twice for a package, and four times at once.") { Range = Url },
        ["rebuilders[].publicKey"] = new("Its long-term key: the PEM at `api/v1/meta/public-keys`, or the base64 between its lines.")
        { Range = "Ed25519" },
        ["rebuilders[].architectures"] = new("Architectures that it is asked about.") { Default = "all", Range = "`amd64`, `all`, …" },
        ["rebuilders[].tags"] = "What its operator says about it, such as country or system, for `policy.distinct`.",
        ["mode"] = "`report` serves every package as the archive has it, and only records what would be refused.",
        ["log.url"] = new("The private listener of a log node that Release files are submitted to.") { Range = $"{Url} or unix:/path" },
        ["log.tokenFile"] = new("File (mode 0600) with the write token.") { Type = "path" },
        ["log.name"] = new("Name of the log, if the node has several.") { Type = "name", Default = "the only one" },
        ["policy.distinct"] = "How many different values of each tag a quorum must span, under every rule.",
        ["policy.scopes"] = "Different rules for some packages; the first match applies.",
        ["policy.scopes[].match"] = new("Names of binary packages.") { Range = Glob },
        ["policy.scopes[].quorum"] = new("How many operators must agree on these.")
        { Default = "the policy's rule", Range = "1 to the number of operators" },
        ["policy.scopes[].dissent"] = new("As in `policy`.") { Default = "the policy's" },
        ["policy.exceptions"] = "Packages served without a quorum until a given time.",
        ["policy.exceptions[].match"] = new("Names of binary packages.") { Range = Glob },
        ["policy.exceptions[].accept"] = new("What is accepted: the archive's file, what one rebuilder vouches for, or one file.")
        { Range = "`archive`, `rebuilder:NAME`, or `sha256:` and 64 digits" },
        ["policy.exceptions[].reason"] = "Reason, shown in the answer.",
        ["policy.exceptions[].expires"] = new("Expiry, in UTC.") { Range = "2027-01-31 or 2027-01-31T12:00:00Z" },
    };
}
