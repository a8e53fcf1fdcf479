using System.Net.Http.Headers;
using System.Text;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Authenticates us to an upstream. Sent only to that upstream's own origin (scheme, host and port), and across no redirect to
/// another.</summary>
public sealed class UpstreamCredentials
{
    private UpstreamCredentials(string scheme, string parameter) => Header = new AuthenticationHeaderValue(scheme, parameter);

    /// <summary>The value of <c>Authorization</c>.</summary>
    public AuthenticationHeaderValue Header { get; }

    /// <summary>Creates HTTP Basic credentials (RFC 7617). The server must parse a name with a colon.</summary>
    public static UpstreamCredentials Basic(string login, string password) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{login}:{password}")));

    /// <summary>Creates a bearer token (RFC 6750): printable ASCII without spaces.</summary>
    public static UpstreamCredentials Bearer(string token) => new("Bearer", token);

    /// <summary>Returns the scheme, never the secret.</summary>
    public override string ToString() => Header.Scheme;
}
