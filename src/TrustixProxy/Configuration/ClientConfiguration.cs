using System.Net;
using System.Text;
using TrustixProxy.IO.Certificates;
using TrustixProxy.IO.Connections;
using TrustixProxy.Native;
using TrustixProxy.Substituter.FrontDoor;

namespace TrustixProxy.Configuration;

/// <summary>The part of <c>serve</c>'s configuration that says how clients come in.</summary>
internal static class ClientConfiguration
{
    private const int MaxConnections = 10_000_000;

    /// <summary>Reads where clients connect, who they are, and what they may take.</summary>
    /// <param name="listen">The addresses of <c>listen</c>, which were checked.</param>
    public static FrontDoorOptions ReadFrontDoor(Section section, IReadOnlyList<string> listen)
    {
        var certificate = ReadCertificate(section, listen);
        var (credentials, certificates, eachClient) = ReadClients(section);
        var (allClients, connections, connectionsPerClient, leastBytesPerSecond) = ReadAll(section);
        return new FrontDoorOptions
        {
            Listen = [.. listen],
            Certificate = certificate,
            Credentials = credentials,
            ClientCertificates = certificates,
            EachClient = eachClient,
            AllClients = allClients,
            Connections = connections,
            ConnectionsPerClient = connectionsPerClient,
            LeastBytesPerSecond = leastBytesPerSecond,
            ForwardedFrom = ReadForwarded(section),
        };
    }

    /// <summary>Section <c>tls</c>: needed where an address is https.</summary>
    private static TlsCertificate? ReadCertificate(Section section, IReadOnlyList<string> listen)
    {
        var tls = section.Object("tls");
        var isThere = section.Has("tls");
        if (!isThere)
        {
            if (listen.FirstOrDefault(address => address.StartsWith("https:", StringComparison.Ordinal)) is { } secure)
            {
                section.Fault("tls", $"is missing, and listen has '{secure}'. Name the certificate and its key: {{\"certificateFile\": "
                    + $"\"/etc/trustix/tls.pem\", \"keyFile\": \"/etc/trustix/tls.key\"}}.");
            }

            return null;
        }

        var certificateFile = tls.Required("certificateFile", "/etc/trustix/tls.pem");
        var keyFile = tls.Required("keyFile", "/etc/trustix/tls.key");
        if (certificateFile.Length is 0 || keyFile.Length is 0)
        {
            return null;
        }

        if (!TlsCertificate.TryLoad(Path.GetFullPath(certificateFile), Path.GetFullPath(keyFile), out var certificate, out var fault))
        {
            tls.Fault("certificateFile", fault);
        }

        return certificate;
    }

    /// <summary>Section <c>clients</c>: who may ask, and how much of it one client may.</summary>
    private static (ClientCredentials? Credentials, ClientCertificates? Certificates, LoadLimits Limits) ReadClients(Section section)
    {
        var clients = section.Object("clients");
        var (basic, bearer) = (clients.Text("basicFile"), clients.Text("bearerFile"));
        var credentials = basic is null && bearer is null ? null : new ClientCredentials();
        ReadSecrets(clients, "basicFile", basic, ClientScheme.Basic, credentials);
        ReadSecrets(clients, "bearerFile", bearer, ClientScheme.Bearer, credentials);
        return (credentials, ReadCertificates(clients, section.Has("tls")), ReadLimits(clients, 1000));
    }

    /// <summary>Who lets clients in by certificates; null for nobody.</summary>
    private static ClientCertificates? ReadCertificates(Section clients, bool hasTls)
    {
        const string authorityKey = "certificateAuthorityFile", listKey = "revocationListFile";
        var (authorityFile, listFile) = (clients.Text(authorityKey), clients.Text(listKey));
        if (authorityFile is null)
        {
            if (listFile is not null)
            {
                clients.Fault(listKey, $"is '{listFile}', and {authorityKey} is missing: name the authority of the clients' certificates, "
                    + "or remove the key.");
            }

            return null;
        }

        if (!hasTls)
        {
            clients.Fault(authorityKey, $"is '{authorityFile}', and clients show certificates over TLS only: add https to 'listen', and "
                + "'tls' with this proxy's own certificate.");
        }

        if (TlsKeys.ReadAuthorities(clients, authorityKey, authorityFile) is not { } authorities)
        {
            return null;
        }

        IReadOnlyList<RevocationList> lists = [];
        if (listFile is not null && !RevocationList.TryLoad(Path.GetFullPath(listFile), authorities, out lists, out var fault))
        {
            clients.Fault(listKey, fault);
        }

        return new ClientCertificates(authorities, [.. lists]);
    }

    /// <summary>Section <c>limits</c>: how much all clients may ask together.</summary>
    private static (LoadLimits Limits, int? Connections, int? PerClient, int LeastBytesPerSecond) ReadAll(Section section)
    {
        var limits = section.Object("limits");
        var (connections, perClient) = ReadConnections(limits, ConnectionLimits.Default);
        return (ReadLimits(limits, 10_000), connections, perClient, limits.Integer("leastBytesPerSecond", 1000, 1, 1_000_000));
    }

    /// <summary>How many connections a server has at once, and how many of one client; null for no limit.</summary>
    /// <param name="limits">Section <c>limits</c>.</param>
    /// <param name="fallback">The number where the section names none.</param>
    public static (int? Connections, int? PerClient) ReadConnections(Section limits, int fallback)
    {
        int? connections = limits.Integer("connections", fallback, 0, MaxConnections) is > 0 and var all ? all : null;
        var half = connections is { } number ? Math.Max(1, number / 2) : 0;
        int? perClient = limits.Integer("connectionsPerClient", half, 0, MaxConnections) is > 0 and var each ? each : null;
        return (connections, perClient);
    }

    /// <summary>What is to be said of a number of connections that the system does not allow.</summary>
    public static IEnumerable<string> ConnectionWarnings(int? connections) => connections >= SystemCalls.OpenFiles
        ? [$"limits.connections: is {connections}, and the system lets this process open {SystemCalls.OpenFiles} files, connections "
            + $"included. Raise that limit (ulimit -n, LimitNOFILE), or remove the key."]
        : [];

    /// <summary><c>forwardedFrom</c>: whose word is taken for who a client is.</summary>
    private static ForwardedClients? ReadForwarded(Section section)
    {
        const string key = "forwardedFrom";
        var (networks, isUnixTrusted) = (new List<IPNetwork>(), false);
        foreach (var text in section.Texts(key))
        {
            if (text is "unix:")
            {
                isUnixTrusted = true;
            }
            else if (IPNetwork.TryParse(text, out var network) || (IPAddress.TryParse(text, out var address)
                && IPNetwork.TryParse($"{address}/{(address.GetAddressBytes().Length * 8)}", out network)))
            {
                networks.Add(network);
            }
            else
            {
                section.Fault(
                    key, $"has '{text}'; it must be an address, a network (10.0.0.0/8), or \"unix:\" for clients of unix sockets.");
            }
        }

        return networks.Count > 0 || isUnixTrusted ? new ForwardedClients([.. networks], isUnixTrusted) : null;
    }

    private static LoadLimits ReadLimits(Section section, int waiting) => new(
        Limit(section, "concurrency", 1, 1_000_000), Limit(section, "requestsPerSecond", 1, 10_000_000),
            Limit(section, "bytesPerSecond", 1000, int.MaxValue), section.Integer("waiting", waiting, 0, 1_000_000));

    private static int? Limit(Section section, string key, int min, int max) => section.Integer(key, 0, 0, max) switch
    {
        0 => null,
        var small when small < min => Refuse(section, key, small, min),
        var limit => limit,
    };

    private static int? Refuse(Section section, string key, int value, int min)
    {
        section.Fault(key, $"is '{value}'; it must be at least {min}, or 0 for no limit.");
        return null;
    }

    /// <summary>Lines <c>name:secret</c>; empty ones, and those that begin with <c>#</c>, say nothing.</summary>
    private static void ReadSecrets(Section section, string key, string? path, ClientScheme scheme, ClientCredentials? credentials)
    {
        const int maxSize = 1 << 20;
        if (path is null)
        {
            return;
        }

        try
        {
            if (KeyFile.IsReadByOthers(path))
            {
                section.Fault(key,
                    $"is '{path}', which other users can read: chmod 600 it, and change its secrets if those users are not trusted.");
            }

            using var file = File.OpenRead(path);
            var buffer = new byte[maxSize];
            var text = Encoding.UTF8.GetString(buffer, 0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
            var lines = text.Split('\n').Select(line => line.TrimEnd('\r')).Index()
                .Where(line => line.Item.Length > 0 && line.Item[0] is not '#').ToList();
            foreach (var (number, line) in lines)
            {
                var colon = line.IndexOf(':', StringComparison.Ordinal);
                if (colon < 1 || colon == line.Length - 1)
                {
                    section.Fault(
                        key, $"is '{path}', whose line {number + 1} is not name:{(scheme is ClientScheme.Basic ? "password" : "token")}.");
                }
                else if (!credentials!.TryAdd(scheme, line[..colon], line[(colon + 1)..]))
                {
                    section.Fault(key, $"is '{path}', whose line {number + 1} repeats another line; each client needs its own.");
                }
            }

            if (lines.Count is 0 || text.Length >= maxSize)
            {
                section.Fault(
                    key, $"is '{path}', which {(lines.Count is 0 ? "names no client, so all would be refused" : "has more than 1 MiB")}.");
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            section.Fault(key, $"is '{path}', which cannot be read: {exception.Message}");
        }
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public static IEnumerable<string> Warnings(FrontDoorOptions options)
    {
        foreach (var warning in ConnectionWarnings(options.Connections))
        {
            yield return warning;
        }

        foreach (var open in options.Credentials is null ? [] : options.Listen.Where(
            address => Uri.TryCreate(address, UriKind.Absolute, out var url) && url is { Scheme: "http", IsLoopback: false }))
        {
            yield return $"clients: passwords and tokens are sent unencrypted to '{open}'. Listen with https and a certificate in "
                + $"tls, or put a reverse proxy with TLS in front.";
        }

        if (options.ClientCertificates?.NextUpdate is { } next && next <= TimeProvider.System.GetUtcNow())
        {
            yield return $"clients.revocationListFile: a newer list was due at {next.UtcDateTime:yyyy-MM-dd HH:mm}Z; until it is there, "
                + "certificates revoked since are let in.";
        }

        if (options.Certificate is not { } certificate)
        {
            yield break;
        }

        if (File.Exists(certificate.KeyFile) && (File.GetUnixFileMode(certificate.KeyFile) & UnixFileMode.OtherRead) is not 0)
        {
            yield return $"tls.keyFile: '{certificate.KeyFile}' can be read by every user of this machine: chmod 640 it, and get "
                + $"a new certificate if those users are not trusted.";
        }

        if (certificate.ExpiresAt <= TimeProvider.System.GetUtcNow())
        {
            yield return $"tls.certificateFile: the certificate expired at {certificate.ExpiresAt.UtcDateTime:yyyy-MM-dd HH:mm}Z: "
                + $"clients reject it.";
        }

        if (!options.Listen.Any(address => address.StartsWith("https:", StringComparison.Ordinal)))
        {
            yield return "tls: no address in listen begins with https://, so only sockets passed by systemd use TLS.";
        }
    }
}
