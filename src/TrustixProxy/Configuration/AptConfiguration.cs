using System.Collections.Immutable;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Connections;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Configuration;

/// <summary>The log that Release files are submitted to.</summary>
/// <param name="Url">Its node's private listener.</param>
/// <param name="Token">The write token.</param>
/// <param name="Name">The log's name; null when the node has only one.</param>
internal sealed record AptLogOptions(Uri Url, NixSecretKey Token, string? Name);

/// <summary>The configuration of <c>apt serve</c>.</summary>
/// <param name="Options">What the gate is told.</param>
/// <param name="KeyFile">Where the key of its MAC is.</param>
/// <param name="IsKeyMissing">Whether it is not there yet: it was made just now, and is to be written.</param>
/// <param name="Log">The log of Release files; null for none.</param>
internal sealed record AptConfiguration(AptGateOptions Options, string KeyFile, bool IsKeyMissing, AptLogOptions? Log)
{
    /// <summary>Reads all keys; null when the gate could not run with them.</summary>
    /// <param name="section">The configuration.</param>
    /// <param name="isCheck">Whether the configuration is only checked: then no directory is made.</param>
    public static AptConfiguration? Read(Section section, bool isCheck)
    {
        var listen = section.Texts("listen", "http://127.0.0.1:8092");
        CommonKeys.CheckListen(section, "listen", listen, allowUnix: true);
        var (operationsListen, hosts) = ReadOperations(section, listen);
        var (connections, perClient) = ClientConfiguration.ReadConnections(section.Object("limits"), ConnectionLimits.Default);
        var proxies = ProxyKeys.Read(section);
        var stateDirectory = CommonKeys.StateDirectory(section, "trustix-apt", isCheck);
        var (key, keyFile, isKeyMissing) = ServeConfiguration.ReadKey(section, stateDirectory);
        var deadline = section.Time("deadline", TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        var store = ReadStore(section.Object("store"), stateDirectory, isCheck);
        var archives = ServeConfiguration.Unique(
            section, "archives", [.. section.List("archives").Select(archive => ReadArchive(archive, proxies))], archive => archive.Name);
        var rebuilders = ServeConfiguration.Unique(
            section, "rebuilders", [.. section.List("rebuilders").Select(rebuilder => ReadRebuilder(rebuilder, proxies))],
            rebuilder => rebuilder.Elector.Name);
        CheckLists(section, archives, rebuilders, [.. listen, .. operationsListen]);
        var log = ReadLog(section);
        var policy = AptPolicyConfiguration.Read(section, [.. rebuilders.Select(rebuilder => rebuilder.Elector)]);
        return key is null || policy is null ? null : new AptConfiguration(
            new AptGateOptions
            {
                Listen = [.. listen],
                OperationsListen = operationsListen,
                OperationsHosts = hosts,
                Connections = new ConnectionLimits { Connections = connections, PerClient = perClient },
                StateDirectory = stateDirectory,
                SigningKey = key,
                Archives = archives,
                Rebuilders = rebuilders,
                Policy = policy,
                Store = store,
                Deadline = deadline,
            },
            keyFile,
            isKeyMissing,
            log);
    }

    /// <summary>Lists what is allowed but weaker than it may look.</summary>
    public IEnumerable<string> Warnings()
    {
        foreach (var warning in Options.Policy.Scopes.Append(Options.Policy.Rest).SelectMany(PolicyConfiguration.Warnings)
            .Concat(ClientConfiguration.ConnectionWarnings(Options.Connections.Connections)))
        {
            yield return warning;
        }

        if (Options.Policy.Fallback is not null)
        {
            yield return "mode: in report mode every package is served, whatever rebuilders say; disagreements are only recorded.";
        }

        if (Options.Rebuilders.Select(rebuilder => rebuilder.Elector.Operator).Distinct().Count() is 1)
        {
            yield return "rebuilders: all belong to one operator, whose word decides alone. Add rebuilders of others.";
        }
    }

    private static (ImmutableArray<string> Listen, ImmutableArray<string> Hosts) ReadOperations(
        Section section, IReadOnlyList<string> listen)
    {
        var operations = section.Object("operations");
        var own = operations.Texts("listen", "http://127.0.0.1:8093");
        if (own.Count > 0)
        {
            CommonKeys.CheckListen(operations, "listen", own, allowUnix: false); // an empty list turns the listener off
        }

        OwnAddresses.CheckDistinct(section, ("listen", listen), ("operations.listen", own));
        return ([.. own], OperationsConfiguration.ReadHosts(operations));
    }

    private static FileStoreOptions ReadStore(Section store, string stateDirectory, bool isCheck) => new(
        CommonKeys.WritableDirectory(store, "directory", Path.Combine(stateDirectory, "files"), isCheck), store.Size("maxSize", "10GiB"));

    private static ArchiveOptions ReadArchive(Section section, HttpProxies proxies) =>
        new(section.Name("name", null, "\"debian\""), ReadUrl(section, "http://deb.debian.org/debian")) { Proxies = proxies };

    private static RebuilderOptions ReadRebuilder(Section section, HttpProxies proxies)
    {
        var name = section.Name("name", null, "\"alice\"");
        var url = ReadUrl(section, "https://rebuilder.example.org");
        var elector = new Apt.Rebuilder(name, section.Name("operator", name, ""), ReadKey(section)) { Tags = CommonKeys.Tags(section) };
        return new RebuilderOptions(elector, url) { Proxies = proxies, Architectures = [.. section.Texts("architectures")] };
    }

    private static Uri ReadUrl(Section section, string example)
    {
        var text = section.Required("url", example);
        Uri? url = null;
        if (text.Length > 0 && ServiceUrl.FaultOf(text, UrlForms.Web, out url, out _) is { } fault)
        {
            section.Fault("url", fault);
        }

        return url ?? new Uri("http://invalid.invalid");
    }

    private static RebuilderKey ReadKey(Section section)
    {
        var text = section.RequiredLines("publicKey", "the PEM that api/v1/meta/public-keys of the rebuilder shows");
        if (!RebuilderKey.TryParse(text, out var key, out var error) && text.Length > 0)
        {
            section.Fault("publicKey", error is RebuilderKeyError.Weak ? $"is a key that {CommonKeys.WeakKey}."
                : $"is '{text.ReplaceLineEndings(" ")}'; it must be the PEM of the Ed25519 key that the rebuilder publishes, or the base64 "
                    + "between its first and last line.");
        }

        return key ?? Unread();
    }

    /// <summary>Stands for a key that cannot be read, so that the other faults are found too.</summary>
    private static RebuilderKey Unread() => RebuilderKey.TryParse(KeyText(Ed25519SigningKey.Generate().PublicKey.Bytes), out var key, out _)
        ? key : throw new System.Diagnostics.UnreachableException();

    /// <summary>The form of a key in a configuration: a SubjectPublicKeyInfo in base 64 (RFC 8410).</summary>
    public static string KeyText(ReadOnlySpan<byte> key) =>
        Convert.ToBase64String([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, .. key]);

    private static void CheckLists(
        Section section, ImmutableArray<ArchiveOptions> archives, ImmutableArray<RebuilderOptions> rebuilders, string[] own)
    {
        if (section.IsDescribed)
        {
            return;
        }

        if (archives.IsEmpty)
        {
            section.Fault("archives", "is missing or empty; name at least one: [{\"name\": \"debian\", \"url\": "
                + "\"http://deb.debian.org/debian\"}].");
        }

        if (rebuilders.IsEmpty)
        {
            section.Fault("rebuilders", "is missing or empty; name at least one with \"name\", \"url\" and \"publicKey\". "
                + "trustix-proxy apt init fetches keys and has you confirm them.");
        }

        ServeConfiguration.CheckOthers(section, "archives", own, archives.Select(archive => ("url", archive.Url)));
        ServeConfiguration.CheckOthers(section, "rebuilders", own, rebuilders.Select(rebuilder => ("url", rebuilder.Url)));
        foreach (var twice in rebuilders.GroupBy(rebuilder => rebuilder.Elector.Key.ToString()).Where(group => group.Count() > 1))
        {
            var names = string.Join(" and ", twice.Select(rebuilder => $"'{rebuilder.Elector.Name}'"));
            section.Fault("rebuilders", $"has one publicKey for {names}; one key would vote twice. Keep one of them.");
        }
    }

    private static AptLogOptions? ReadLog(Section section)
    {
        var log = section.Object("log");
        if (!section.Has("log"))
        {
            return null;
        }

        var (url, path, name) = (CommonKeys.Url(log, "url", allowUnix: true),
            log.Required("tokenFile", "/etc/trustix/token.key, created by trustix-proxy keygen"), log.Text("name"));
        NixSecretKey? token = null;
        if (path.Length > 0 && !Configuration.KeyFile.TryReadPrivate(path, allowBare: false, out token, out var fault))
        {
            log.Fault("tokenFile", fault);
        }

        return token is null ? null : new AptLogOptions(url, token, name);
    }
}
