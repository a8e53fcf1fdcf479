using TrustixProxy.Configuration;

namespace TrustixProxy.Setup;

/// <summary>A secret key that a unit gets as a credential of systemd, so that its user need not read the file.</summary>
/// <param name="Name">The credential's name, and the file's in <c>/etc/trustix-proxy</c>.</param>
/// <param name="Variable">The variable that names it to the program.</param>
/// <param name="Source">Where the key is now.</param>
internal sealed record ServiceKey(string Name, string Variable, string Source);

/// <summary>What <c>install</c> makes a service of: one configuration.</summary>
/// <param name="Unit">The unit's name, which its user and its state directory have, too.</param>
/// <param name="Verb">What the unit runs.</param>
/// <param name="Description">What the unit says of itself.</param>
/// <param name="Keys">Its keys.</param>
/// <param name="Directory">Where it writes: its state directory, or a publisher's spool.</param>
/// <param name="OwnsDirectory">Whether the configuration names the directory itself.</param>
internal sealed record Service(
    string Unit, string Verb, string Description, IReadOnlyList<ServiceKey> Keys, string Directory, bool OwnsDirectory)
{
    private const int MostAddresses = 1000;

    private const string Unix = "unix:";

    /// <summary>Keys of files that the unit names anew.</summary>
    private static readonly string[] Replaced = ["signingKeyFile", "privateKeyFile", "tokenFile"];

    /// <summary>All units that <c>install</c> can make.</summary>
    public static IReadOnlyList<string> Units { get; } = ["trustix-proxy", "trustix-log", "trustix-publisher"];

    /// <summary>The publisher reads what Nix's hook has left, which root's are.</summary>
    public bool IsRoot => Verb is "publish";

    /// <summary>Whether it reads a changed configuration by itself.</summary>
    public bool ReadsAgain => Verb is "serve";

    /// <summary>Folders of the configuration, beside the state directory, in which it writes: those of NARs and of sockets.</summary>
    public IReadOnlyList<string> Places { get; init; } = [];

    /// <summary>Folders that have to be there before it starts; systemd makes those of its own.</summary>
    public IEnumerable<string> Folders => Places.Concat(OwnsDirectory ? [Directory] : []).Where(folder =>
        !folder.StartsWith("/run/", StringComparison.Ordinal) && !IsMade(folder));

    /// <summary>Where its state is kept.</summary>
    public string State => $"/var/lib/{Unit}";

    /// <summary>The file's name in <c>/etc/trustix-proxy</c>.</summary>
    public string Configuration => ConfigurationOf(Unit);

    /// <summary>The name of a unit's configuration in <c>/etc/trustix-proxy</c>.</summary>
    public static string ConfigurationOf(string unit) => unit is "trustix-publisher" ? "trustix-publish.json" : $"{unit}.json";

    /// <summary>Whether a file in <c>/etc/trustix-proxy</c> is a unit's configuration or key.</summary>
    public static bool IsOf(string unit, string file) => file == ConfigurationOf(unit) || unit switch
    {
        "trustix-proxy" => file is "signing.key",
        "trustix-log" => file.StartsWith("log", StringComparison.Ordinal) && file.EndsWith(".key", StringComparison.Ordinal),
        _ => file is "token.key",
    };

    /// <summary>Whether systemd makes a folder for the unit.</summary>
    private bool IsMade(string folder) => new[] { State, $"/var/cache/{Unit}" }.Any(made =>
        folder == made || folder.StartsWith(made + "/", StringComparison.Ordinal));

    /// <summary>Finds out what a configuration is for.</summary>
    /// <param name="proxy">The proxy that a configuration of <c>serve</c> makes; null for the others.</param>
    /// <param name="faults">What is wrong with it; empty when a service can be made of it.</param>
    public static Service? Read(string file, out ServeConfiguration? proxy, out IReadOnlyList<Fault> faults)
    {
        proxy = null;
        if (ConfigurationFile.IsOfRebuilder(file))
        {
            faults = [new Fault("--config", $"is '{file}', a rebuilder's, which needs Nix and a store of its own: run "
                + "trustix-proxy rebuild.")];
            return null;
        }

        if (ConfigurationFile.IsOfAptGate(file))
        {
            faults = [new Fault("--config", $"is '{file}', a gate's for Debian packages, of which install makes no service yet: run "
                + $"trustix-proxy apt serve --config {ShellWord.Of(file)}")];
            return null;
        }

        if (ConfigurationFile.IsOfLogNode(file))
        {
            (var log, faults) = ConfigurationFile.Read(file, Logs);
            faults = log is null ? faults : FaultsOf(log, file);
            return faults.Count is 0 ? log : null;
        }

        if (ConfigurationFile.IsOfPublisher(file))
        {
            (var publisher, faults) = ConfigurationFile.Read(file, Publisher);
            faults = publisher is null ? faults : FaultsOf(publisher, file);
            return faults.Count is 0 ? publisher : null;
        }

        ServeConfiguration? read = null;
        (var service, faults) = ConfigurationFile.Read(file, section =>
        {
            var named = section.Glimpse("stateDirectory");
            read = ServeConfiguration.Read(section, isCheck: true);
            return read is null ? null : new Service("trustix-proxy", "serve",
                "Binary cache that serves only what several independent builders agree on",
                [new ServiceKey("signing.key", "TRUSTIXPROXY__SIGNINGKEYFILE", read.KeyFile)], named ?? "/var/lib/trustix-proxy",
                named is not null)
            {
                Places = [.. PlacesOf(section, "listen"), .. new[] { section.Glimpse("narStore:directory") }.OfType<string>()],
            };
        });
        faults = service is null ? faults : FaultsOf(service, file);
        proxy = faults.Count is 0 ? read : null;
        return faults.Count is 0 ? service : null;
    }

    /// <summary>What the program takes as it is, and a unit does not: it runs in <c>/</c>, and its lists have spaces between.</summary>
    private static List<Fault> FaultsOf(Service service, string file) =>
    [
        .. ConfigurationFile.RelativeFilesOf(file)
            .Where(named => !Replaced.Contains(named.Key.Split(':')[^1], StringComparer.OrdinalIgnoreCase))
            .Select(named => new Fault(named.Key.Replace(':', '.'), $"is '{named.Path}', which a service would look for in /: write the "
                + $"whole path, '{Path.GetFullPath(named.Path)}'.")),
        .. service.Places.Append(service.Directory).Where(place => !IsWord(place))
            .Select(place => new Fault("--config", $"names '{place}', which a unit cannot: give a path from / on, of letters, digits and "
                + "@ + = : , . / - _ alone.")),
    ];

    /// <summary>Whether a path is one word in a unit, without anything that systemd replaces.</summary>
    public static bool IsWord(string path) => path.StartsWith('/')
        && path.All(letter => char.IsAsciiLetterOrDigit(letter) || "@+=:,./-_".Contains(letter, StringComparison.Ordinal));

    /// <summary>The folders of the unix sockets in a list of addresses.</summary>
    private static IEnumerable<string> PlacesOf(Section section, string key) => Enumerable.Range(0, MostAddresses)
        .Select(number => section.Glimpse($"{key}:{number}")).TakeWhile(address => address is not null)
        .Where(address => address!.StartsWith(Unix, StringComparison.Ordinal))
        .Select(address => Path.GetDirectoryName(address![Unix.Length..])).OfType<string>().Distinct();

    private static Service? Logs(Section section)
    {
        var named = section.Glimpse("stateDirectory");
        var keys = Enumerable.Range(0, 1000).Select(i => (Number: i, Name: section.Glimpse($"logs:{i}:name"),
            File: section.Glimpse($"logs:{i}:privateKeyFile"))).TakeWhile(log => log.File is not null).ToList();
        return LogServeConfiguration.Read(section, isCheck: true) is null ? null
            : new Service("trustix-log", "log serve", "Build-transparency log",
                [.. keys.Select(log => new ServiceKey(keys.Count is 1 ? "log.key" : $"log-{log.Name}.key",
                    $"TRUSTIXPROXY__LOGS__{log.Number}__PRIVATEKEYFILE", log.File!))],
                named ?? "/var/lib/trustix-log", named is not null)
            { Places = [.. PlacesOf(section, "listen"), .. PlacesOf(section, "privateListen")] };
    }

    private static Service? Publisher(Section section)
    {
        var token = section.Glimpse("log:tokenFile");
        return PublishConfiguration.Read(section, isCheck: true) is not { } options ? null
            : new Service("trustix-publisher", "publish", "Publishes what Nix has built to a build-transparency log",
                [new ServiceKey("token.key", "TRUSTIXPROXY__LOG__TOKENFILE", token!)], options.SpoolDirectory, OwnsDirectory: true);
    }
}
