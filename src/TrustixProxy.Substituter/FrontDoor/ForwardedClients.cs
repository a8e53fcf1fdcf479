using System.Collections.Immutable;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Trusted reverse proxies, whose <c>X-Forwarded-For</c> is honoured.</summary>
/// <param name="Networks">Their addresses and networks.</param>
/// <param name="IsUnixTrusted">Whether clients of unix sockets are trusted proxies.</param>
public sealed record ForwardedClients(ImmutableArray<System.Net.IPNetwork> Networks, bool IsUnixTrusted)
{
    /// <summary>Replaces the proxy's address by the client's. The client is the last untrusted hop; earlier entries in the header are
    /// unverified.</summary>
    internal RequestDelegate Before(RequestDelegate next, ILoggerFactory loggers)
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        // with an empty list, the middleware would trust every address
        foreach (var network in Networks.Append(new System.Net.IPNetwork(IPAddress.None, 32)))
        {
            options.KnownIPNetworks.Add(network);
        }

        var middleware = new ForwardedHeadersMiddleware(next, loggers, Options.Create(options));
        return context => context.Connection.RemoteIpAddress is not null || IsUnixTrusted ? middleware.Invoke(context) : next(context);
    }
}
