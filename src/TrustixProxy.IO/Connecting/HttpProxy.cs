using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace TrustixProxy.IO.Connecting;

/// <summary>One HTTP or SOCKS proxy, and its credentials.</summary>
/// <param name="address">The proxy, without user and password.</param>
/// <param name="credentials">Credentials for the proxy; null without any.</param>
public sealed class HttpProxy(Uri address, NetworkCredential? credentials) : IWebProxy
{
    /// <summary>The proxy's address, without secrets.</summary>
    public Uri Address { get; } = address;

    /// <inheritdoc/>
    public ICredentials? Credentials { get; set; } = credentials;

    /// <summary>Identifies the proxy. Contains the password: compare it, but never print it.</summary>
    public string Identity { get; } = $"{address}\n{credentials?.UserName}\n{credentials?.Password}";

    /// <summary>The header for requests the proxy forwards itself (plain HTTP); null without credentials, or for other kinds of proxy. The
    /// runtime authorizes a tunnel's CONNECT.</summary>
    public AuthenticationHeaderValue? Authorization { get; } = credentials is null
        || !address.Scheme.StartsWith("http", StringComparison.Ordinal)
        ? null
        : new AuthenticationHeaderValue("Basic",
            Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.UserName}:{credentials.Password}")));

    /// <summary>The proxy for connections that are already in TLS with it.</summary>
    internal HttpProxy InTls => Address.Scheme is not "https" ? this
        : new HttpProxy(new UriBuilder(Address) { Scheme = "http" }.Uri, (NetworkCredential?)Credentials);

    /// <inheritdoc/>
    public Uri GetProxy(Uri destination) => Address;

    /// <inheritdoc/>
    public bool IsBypassed(Uri host) => false;

    /// <summary>Returns the address, never a password.</summary>
    public override string ToString() => Address.GetLeftPart(UriPartial.Authority);
}
