using System.Net.Http.Headers;
using System.Text;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>What shows an upstream who we are. It is sent to that upstream's own origin (scheme, host and port), and over no redirect to
/// another.</summary>
public sealed class UpstreamCredentials
{
    private UpstreamCredentials(string scheme, string parameter) => Header = new AuthenticationHeaderValue(scheme, parameter);

    /// <summary>The value of <c>Authorization</c>.</summary>
    public AuthenticationHeaderValue Header { get; }

    /// <summary>A name and a password (RFC 7617). A name with a colon in it is for the server to part.</summary>
    public static UpstreamCredentials Basic(string login, string password) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{login}:{password}")));

    /// <summary>A token (RFC 6750): printable ASCII without spaces.</summary>
    public static UpstreamCredentials Bearer(string token) => new("Bearer", token);

    /// <summary>Never the secret.</summary>
    public override string ToString() => Header.Scheme;
}
