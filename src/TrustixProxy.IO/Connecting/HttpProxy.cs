using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace TrustixProxy.IO.Connecting;

/// <summary>One HTTP or SOCKS proxy, and what it is shown.</summary>
/// <param name="address">The proxy, without user and password.</param>
/// <param name="credentials">What it is shown; null when it asks for nothing.</param>
public sealed class HttpProxy(Uri address, NetworkCredential? credentials) : IWebProxy
{
    /// <summary>Where it is; nothing secret.</summary>
    public Uri Address { get; } = address;

    /// <inheritdoc/>
    public ICredentials? Credentials { get; set; } = credentials;

    /// <summary>What tells two proxies apart. It holds the password: it is compared, and never shown.</summary>
    public string Identity { get; } = $"{address}\n{credentials?.UserName}\n{credentials?.Password}";

    /// <summary>The header for requests that it passes on itself (plain HTTP); null when it asks for nothing, or is no HTTP proxy. A
    /// tunnel's CONNECT is authorized by the runtime.</summary>
    public AuthenticationHeaderValue? Authorization { get; } = credentials is null
        || !address.Scheme.StartsWith("http", StringComparison.Ordinal)
        ? null
        : new AuthenticationHeaderValue("Basic",
            Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.UserName}:{credentials.Password}")));

    /// <inheritdoc/>
    public Uri GetProxy(Uri destination) => Address;

    /// <inheritdoc/>
    public bool IsBypassed(Uri host) => false;

    /// <summary>The address, never a password.</summary>
    public override string ToString() => Address.GetLeftPart(UriPartial.Authority);
}
