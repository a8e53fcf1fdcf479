using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;

namespace TrustixProxy.Substituter.Pipelining;

/// <summary>The headers of a request that name its client.</summary>
/// <param name="Authorization">Its credentials; empty for none.</param>
/// <param name="ForwardedFor">Its <c>X-Forwarded-For</c>; empty for none.</param>
internal sealed record SenderHeaders(string Authorization, string ForwardedFor)
{
    /// <summary>Those of a request without such headers.</summary>
    public static readonly SenderHeaders None = new("", "");

    /// <summary>Returns those of a request; null when one occurs twice.</summary>
    /// <param name="headers">The headers as received.</param>
    public static SenderHeaders? Of(IHeaderDictionary headers)
    {
        var (authorization, forwarded) = (headers.Authorization, headers[ForwardedHeadersDefaults.XForwardedForHeaderName]);
        return authorization.Count > 1 || forwarded.Count > 1 ? null
            : authorization.Count + forwarded.Count is 0 ? None
            : new SenderHeaders(authorization.ToString(), forwarded.ToString());
    }
}
