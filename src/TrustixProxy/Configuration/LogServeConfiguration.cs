using TrustixProxy.IO.Connections;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>The configuration of <c>log serve</c>.</summary>
internal static class LogServeConfiguration
{
    private static readonly TimeSpan LeastFlushInterval = TimeSpan.FromMilliseconds(10);

    /// <param name="isCheck">Whether it is only looked at: then no directory is made.</param>
    public static LogNodeOptions? Read(Section section, bool isCheck)
    {
        var listen = section.Texts("listen", "http://127.0.0.1:8090");
        CommonKeys.CheckListen(section, "listen", listen, allowUnix: true);
        var privateListen = section.Texts("privateListen", "http://127.0.0.1:8091");
        CommonKeys.CheckListen(section, "privateListen", privateListen, allowUnix: true);
        OwnAddresses.CheckDistinct(section, ("listen", listen), ("privateListen", privateListen));
        var stateDirectory = CommonKeys.StateDirectory(section, "trustix-log", isCheck);
        var logs = section.List("logs").Select(ReadLog).ToList();
        CheckLogs(section, logs);
        var flushInterval = section.Time("flushInterval", TimeSpan.FromSeconds(1), TimeSpan.Zero, TimeSpan.FromHours(1));
        if (flushInterval > TimeSpan.Zero && flushInterval < LeastFlushInterval)
        {
            section.Fault("flushInterval",
                $"is '{flushInterval}'; it must be 00:00:00, for a head under each submission, or at least {LeastFlushInterval}.");
        }

        var (connections, perClient) = ClientConfiguration.ReadConnections(section.Object("limits"), ConnectionLimits.Default * 3 / 4);
        var options = new LogNodeOptions
        {
            Connections = connections,
            ConnectionsPerClient = perClient,
            Listen = [.. listen],
            PrivateListen = [.. privateListen],
            StateDirectory = stateDirectory,
            Logs = [.. logs.OfType<HostedLogOptions>()],
            ReferenceTokens = section.Flag("referenceTokens"),
            FlushInterval = flushInterval,
            HistoryWindow = section.Time("historyWindow", TimeSpan.FromHours(1), TimeSpan.Zero, TimeSpan.FromDays(365)),
        };
        return logs.Contains(null) ? null : options;
    }

    private static void CheckLogs(Section section, List<HostedLogOptions?> logs)
    {
        if (logs.Count is 0)
        {
            section.Fault("logs", "is missing or empty. Name a log: [{\"name\": \"mine\", \"privateKeyFile\": "
                + "\"/var/lib/trustix-log/mine.key\"}]; trustix-proxy keygen makes the key.");
        }

        var good = logs.OfType<HostedLogOptions>().ToList();
        foreach (var twice in good.GroupBy(log => log.Name).Where(group => group.Count() > 1))
        {
            section.Fault("logs", $"has the name '{twice.Key}' {twice.Count()} times; each log needs its own.");
        }

        foreach (var twice in good.GroupBy(log => log.Signer.Key).Where(group => group.Count() > 1))
        {
            section.Fault("logs", $"has one key for {string.Join(" and ", twice.Select(log => $"'{log.Name}'"))}; two logs with one key "
                + $"would contradict each other under one signature.");
        }

        var origins = good.Where(log => log.Origin is not null)
            .SelectMany(log => new[] { log.Origin!, log.Origin + Checkpoint.MapHeads }, (log, origin) => (log.Name, Origin: origin));
        foreach (var twice in origins.GroupBy(log => log.Origin).Where(group => group.Count() > 1))
        {
            section.Fault("logs", $"has the origin '{twice.Key}' for {string.Join(" and ", twice.Select(log => $"'{log.Name}'"))}; "
                + $"each log needs its own, and none may be another's with '{Checkpoint.MapHeads}', which names its map-head log.");
        }
    }

    private static HostedLogOptions? ReadLog(Section section)
    {
        var name = section.Required("name", "\"mine\"");
        if (name.AsSpan().ContainsAnyExcept(System.Buffers.SearchValues.Create(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")) || name.StartsWith('.'))
        {
            section.Fault("name", $"is '{name}'; it names the log's file, so it has letters, digits, '-', '_' and '.' only.");
        }

        if (section.Text("protocol", "nix") is { } protocol && protocol is not "nix")
        {
            section.Fault("protocol", $"is '{protocol}'; it must be \"nix\".");
        }

        var tokens = CommonKeys.PublicKeys(section, "writeTokens");
        var signer = ReadKey(section);
        var origin = ReadOrigin(section);
        var witnesses = CosigningConfiguration.Read(section);
        return signer is null ? null : new HostedLogOptions(name, signer, [.. tokens]) { Origin = origin, Witnesses = witnesses };
    }

    /// <summary>The log's name in checkpoints; null without one.</summary>
    private static string? ReadOrigin(Section section)
    {
        var origin = section.Text("origin");
        var fault = origin is null ? null : LogOrigin.FaultOf(origin);
        if (fault is not null)
        {
            section.Fault("origin", fault);
        }

        return fault is null ? origin : null;
    }

    /// <summary>The private key, in Nix's form or the reference's: bare base64 of seed and public key.</summary>
    private static LogSigner? ReadKey(Section section)
    {
        const string key = "privateKeyFile";
        var path = section.Required(key, "/var/lib/trustix-log/mine.key, created by trustix-proxy keygen");
        if (path.Length is 0)
        {
            return null;
        }

        if (KeyFile.TryReadPrivate(path, allowBare: true, out var secret, out var fault))
        {
            return new LogSigner(secret.Key);
        }

        section.Fault(key, fault);
        return null;
    }
}
