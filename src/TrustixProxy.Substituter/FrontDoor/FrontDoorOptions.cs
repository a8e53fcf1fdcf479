using System.Collections.Immutable;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Where clients connect, who they are, and what they may take.</summary>
public sealed record FrontDoorOptions
{
    /// <summary>Addresses to listen on, <c>http://host:port</c>, <c>https://host:port</c> or <c>unix:/path</c>; unused when systemd passes
    /// sockets.</summary>
    public ImmutableArray<string> Listen { get; init; } = ["http://127.0.0.1:8080"];

    /// <summary>What is shown at https addresses, and at sockets that systemd passes; required where any of <see cref="Listen"/> is
    /// https.</summary>
    public TlsCertificate? Certificate { get; init; }

    /// <summary>Who may ask; everyone when null.</summary>
    public ClientCredentials? Credentials { get; init; }

    /// <summary>How much one client is served.</summary>
    public LoadLimits EachClient { get; init; } = new();

    /// <summary>How much all clients together are served.</summary>
    public LoadLimits AllClients { get; init; } = new();

    /// <summary>How many connections clients may have at once; those beyond wait. No limit when null.</summary>
    public int? Connections { get; init; }

    /// <summary>How many of them one client may have; behind <see cref="ForwardedFrom"/>, how many requests at once. No limit when
    /// null.</summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>A client that takes fewer bytes a second of what waits for it is given up, once it is <see cref="SlownessGrace"/>
    /// behind.</summary>
    public int LeastBytesPerSecond { get; init; } = 1000;

    /// <summary>How far behind it may be; more than a second.</summary>
    public TimeSpan SlownessGrace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whose word is taken for who a client is; nobody's when null.</summary>
    public ForwardedClients? ForwardedFrom { get; init; }

    /// <summary>How long a request's headers may take to come.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Bounds clients' connections.</summary>
    /// <param name="wait">How long a connection waits at most for a place.</param>
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
