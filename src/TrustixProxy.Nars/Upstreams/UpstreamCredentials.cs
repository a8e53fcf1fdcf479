using System.Net.Http.Headers;
using System.Text;
using TrustixProxy.IO.Buckets;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Authenticates us to an upstream. Sent only to that upstream's own origin (scheme, host and port), and across no redirect to
/// another. A signature is made for each request, and only for addresses within the bucket.</summary>
public sealed class UpstreamCredentials
{
    private readonly BucketSigner? _signer;

    private UpstreamCredentials(string scheme, string parameter) => Header = new AuthenticationHeaderValue(scheme, parameter);

    private UpstreamCredentials(BucketSigner signer) => _signer = signer;

    /// <summary>The value of <c>Authorization</c>; null where each request has a signature of its own.</summary>
    public AuthenticationHeaderValue? Header { get; }

    /// <summary>Creates HTTP Basic credentials (RFC 7617). The server must parse a name with a colon.</summary>
    public static UpstreamCredentials Basic(string login, string password) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{login}:{password}")));

    /// <summary>Creates a bearer token (RFC 6750): printable ASCII without spaces.</summary>
    public static UpstreamCredentials Bearer(string token) => new("Bearer", token);

    /// <summary>Creates credentials that sign each request to a bucket.</summary>
    public static UpstreamCredentials Signing(BucketSigner signer) => new(signer);

    /// <summary>Returns the scheme, never the secret.</summary>
    public override string ToString() => Header?.Scheme ?? $"{_signer}";

    /// <summary>Authenticates a request that asks for its address without a body.</summary>
    /// <param name="request">The request.</param>
    /// <param name="base">The upstream's address.</param>
    /// <param name="now">The time of a signature.</param>
    /// <param name="cancellation">Ends the wait for a temporary key.</param>
    internal async ValueTask ApplyAsync(HttpRequestMessage request, Uri @base, DateTimeOffset now, CancellationToken cancellation)
    {
        var address = request.RequestUri!;
        var isOrigin = Uri.Compare(
            address, @base, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) is 0;
        request.Headers.Authorization = isOrigin ? Header : null;
        if (_signer is null)
        {
            return;
        }

        BucketSigner.Unsign(request);
        if (isOrigin && address.AbsolutePath.StartsWith(@base.AbsolutePath, StringComparison.Ordinal) && !BucketSigner.IsPresigned(address))
        {
            await _signer.SignAsync(request, RequestSignature.NoBody, now, cancellation);
        }
    }
}
