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
    /// <summary>All units that <c>install</c> can make.</summary>
    public static IReadOnlyList<string> Units { get; } = ["trustix-proxy", "trustix-log", "trustix-publisher"];

    /// <summary>The publisher reads what Nix's hook has left, which root's are.</summary>
    public bool IsRoot => Verb is "publish";

    /// <summary>Where its state is kept.</summary>
    public string State => $"/var/lib/{Unit}";

    /// <summary>The file's name in <c>/etc/trustix-proxy</c>.</summary>
    public string Configuration => Unit is "trustix-publisher" ? "trustix-publish.json" : $"{Unit}.json";

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
                + $"trustix-proxy apt serve --config {file}")];
            return null;
        }

        if (ConfigurationFile.IsOfLogNode(file))
        {
            (var log, faults) = ConfigurationFile.Read(file, Logs);
            return log;
        }

        if (ConfigurationFile.IsOfPublisher(file))
        {
            (var publisher, faults) = ConfigurationFile.Read(file, Publisher);
            return publisher;
        }

        ServeConfiguration? read = null;
        (var service, faults) = ConfigurationFile.Read(file, section =>
        {
            var named = section.Glimpse("stateDirectory");
            read = ServeConfiguration.Read(section, isCheck: true);
            return read is null ? null : new Service("trustix-proxy", "serve",
                "Binary cache that serves only what several independent builders agree on",
                [new ServiceKey("signing.key", "TRUSTIXPROXY__SIGNINGKEYFILE", read.KeyFile)], named ?? "/var/lib/trustix-proxy",
                named is not null);
        });
        proxy = service is null ? null : read;
        return service;
    }

    private static Service? Logs(Section section)
    {
        var named = section.Glimpse("stateDirectory");
        var keys = Enumerable.Range(0, 1000).Select(i => (Number: i, Name: section.Glimpse($"logs:{i}:name"),
            File: section.Glimpse($"logs:{i}:privateKeyFile"))).TakeWhile(log => log.File is not null).ToList();
        return LogServeConfiguration.Read(section, isCheck: true) is null ? null
            : new Service("trustix-log", "log serve", "Build-transparency log",
                [.. keys.Select(log => new ServiceKey(keys.Count is 1 ? "log.key" : $"log-{log.Name}.key",
                    $"TRUSTIXPROXY__LOGS__{log.Number}__PRIVATEKEYFILE", log.File!))],
                named ?? "/var/lib/trustix-log", named is not null);
    }

    private static Service? Publisher(Section section)
    {
        var token = section.Glimpse("log:tokenFile");
        return PublishConfiguration.Read(section, isCheck: true) is not { } options ? null
            : new Service("trustix-publisher", "publish", "Publishes what Nix has built to a build-transparency log",
                [new ServiceKey("token.key", "TRUSTIXPROXY__LOG__TOKENFILE", token!)], options.SpoolDirectory, OwnsDirectory: true);
    }
}
