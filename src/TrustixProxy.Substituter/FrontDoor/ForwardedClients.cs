using System.Collections.Immutable;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Whose word is taken for who a client is: proxies before this one, which say so in <c>X-Forwarded-For</c>.</summary>
/// <param name="Networks">Where they are.</param>
/// <param name="IsUnixTrusted">Whether whoever comes by a unix socket is one.</param>
public sealed record ForwardedClients(ImmutableArray<System.Net.IPNetwork> Networks, bool IsUnixTrusted)
{
    /// <summary>Puts the client that they name in the place of their own address. The last hop that is none of them is the client: what
    /// stands before it in the header is its own word.</summary>
    internal RequestDelegate Before(RequestDelegate next, ILoggerFactory loggers)
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        // where there is no network at all, the middleware would trust everyone
        foreach (var network in Networks.Append(new System.Net.IPNetwork(IPAddress.None, 32)))
        {
            options.KnownIPNetworks.Add(network);
        }

        var middleware = new ForwardedHeadersMiddleware(next, loggers, Options.Create(options));
        return context => context.Connection.RemoteIpAddress is not null || IsUnixTrusted ? middleware.Invoke(context) : next(context);
    }
}
