using System.Text;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.IO.Buckets;

/// <summary>Reads from an S3-compatible server's error whether it refused who we are, rather than what we asked for.</summary>
/// <remarks>Source: Amazon S3 API reference, "Error responses". <c>AccessDenied</c> is not among the codes: it is also what a key that may
/// not list a bucket gets for an object that is not there.</remarks>
public static class BucketFault
{
    private const int MaxSize = 16 << 10;

    private static readonly HashSet<string> Codes = new(StringComparer.Ordinal)
    {
        "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidAccessKeyId", "InvalidSecurity", "InvalidToken", "PermanentRedirect",
        "RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired",
    };

    /// <summary>Returns the code of an answer that refuses the signature; null for another answer, whose body then is used up if its status
    /// is 301, 400, 401 or 403.</summary>
    public static async Task<string?> RefusalOfAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        if ((int)response.StatusCode is not (301 or 400 or 401 or 403))
        {
            return null;
        }

        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        var bytes = await BoundedStream.ReadWholeAsync(body, MaxSize, length: null, cancellation);
        var code = bytes is null ? "" : CodeIn(Encoding.UTF8.GetString(bytes.Value.Span));
        return Codes.Contains(code) ? code : null;
    }

    private static string CodeIn(string xml)
    {
        const string open = "<Code>";
        var start = xml.IndexOf(open, StringComparison.Ordinal);
        var end = start < 0 ? -1 : xml.IndexOf('<', start + open.Length);
        return end < 0 ? "" : xml[(start + open.Length)..end];
    }
}
