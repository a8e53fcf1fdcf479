using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Substituter.Fairness;

/// <summary>For whom a request is answered: limits, and turns to decide, are per requester.</summary>
/// <param name="Name">The client's authenticated name; null for a client that is known by its address.</param>
/// <param name="Address">The address of a client without a name; all clients of a unix socket are one.</param>
internal readonly record struct Requester(string? Name, ClientAddress Address)
{
    private static readonly AsyncLocal<Requester?> Followed = new();

    /// <summary>The proxy, for what no client has asked for.</summary>
    private static Requester Itself { get; } = new("", default);

    /// <summary>For whom the calling method works.</summary>
    public static Requester Current => Followed.Value ?? Itself;

    /// <summary>The client that sent a request, by its address.</summary>
    public static Requester Of(HttpContext context) => new(null, ClientAddress.Of(context.Connection.RemoteIpAddress));

    /// <summary>Has the calling method work for this requester from now on.</summary>
    public void Follow() => Followed.Value = this;

    /// <summary>Has the calling method work for a request from now on: for its client, and with its marks
    /// (<see cref="OwnRequests"/>).</summary>
    public static void Follow(HttpContext context)
    {
        OwnRequests.Follow(context.Request.Headers.UserAgent);
        Followed.Value ??= Of(context); // the gate may know a name
    }
}
