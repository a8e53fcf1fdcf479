using System.Collections.Immutable;
using TrustixProxy.IO.Certificates;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Client listeners, authentication and limits.</summary>
public sealed record FrontDoorOptions
{
    /// <summary>Addresses to listen on, <c>http://host:port</c>, <c>https://host:port</c> or <c>unix:/path</c>; unused when systemd passes
    /// sockets.</summary>
    public ImmutableArray<string> Listen { get; init; } = ["http://127.0.0.1:8080"];

    /// <summary>Certificate for https addresses and sockets passed by systemd; required if any of <see cref="Listen"/> is https.</summary>
    public TlsCertificate? Certificate { get; init; }

    /// <summary>Credentials of allowed clients. Without these and <see cref="ClientCertificates"/> everyone is allowed.</summary>
    public ClientCredentials? Credentials { get; init; }

    /// <summary>Lets clients in by their certificates, where they use TLS; null for none.</summary>
    public ClientCertificates? ClientCertificates { get; init; }

    /// <summary>Whether only known clients are answered.</summary>
    public bool IsClosed => Credentials is not null || ClientCertificates is not null;

    /// <summary>Limits per client.</summary>
    public LoadLimits EachClient { get; init; } = new();

    /// <summary>Limits over all clients.</summary>
    public LoadLimits AllClients { get; init; } = new();

    /// <summary>Concurrent client connections; more wait. Null: unlimited.</summary>
    public int? Connections { get; init; }

    /// <summary>Connections per client; behind <see cref="ForwardedFrom"/>, concurrent requests. Null: unlimited.</summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>Minimum bytes per second a client must read; it is disconnected when <see cref="SlownessGrace"/> behind.</summary>
    public int LeastBytesPerSecond { get; init; } = 1000;

    /// <summary>Allowed lag; more than a second.</summary>
    public TimeSpan SlownessGrace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Trusted reverse proxies; null for none.</summary>
    public ForwardedClients? ForwardedFrom { get; init; }

    /// <summary>Time limit for receiving a request's headers.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Creates the limits on client connections.</summary>
    /// <param name="wait">Maximum wait of a connection for a slot.</param>
    internal ConnectionLimits LimitConnections(TimeSpan wait) => new()
    {
        Connections = Connections,
        PerClient = ConnectionsPerClient,
        Waiting = AllClients.Waiting,
        Wait = wait,
        HeaderTimeout = HeaderTimeout,
        LeastBytesPerSecond = LeastBytesPerSecond,
        Grace = SlownessGrace,
        Proxies = ForwardedFrom?.Networks ?? [],
    };
}
