namespace TrustixProxy.Nars.Upstreams;

/// <summary>Why a request to an upstream gave nothing usable. Kebab case of a member's name is the word that people read.</summary>
public enum UpstreamFailure
{
    /// <summary>Its host name leads to no address.</summary>
    NameResolution,

    /// <summary>Nothing listens at its address.</summary>
    ConnectionRefused,

    /// <summary>No route leads to its address.</summary>
    Unreachable,

    /// <summary>The connection broke before the answer was whole.</summary>
    ConnectionReset,

    /// <summary>It did not answer in time.</summary>
    Silent,

    /// <summary>Its TLS certificate comes from an authority that this machine does not trust.</summary>
    UntrustedCertificate,

    /// <summary>The TLS handshake failed for another reason: the name, the date, the protocol.</summary>
    Tls,

    /// <summary>The HTTP proxy on the way refused the connection.</summary>
    ProxyRefused,

    /// <summary>The folder that is this upstream cannot be read.</summary>
    Folder,

    /// <summary>Something else in our own request failed.</summary>
    RequestFailed,

    /// <summary>An HTTP status that says nothing of the path; <see cref="UpstreamFault.Status"/> keeps the number.</summary>
    HttpStatus,

    /// <summary>It asked not to be asked for a while (429, or Retry-After).</summary>
    Throttled,

    /// <summary>It redirects to a place where it may not lead, or too often.</summary>
    RedirectRefused,

    /// <summary>Its address, or one that it redirects to, is a private one that it may not lead to.</summary>
    AddressRefused,

    /// <summary>The body is no narinfo.</summary>
    NotANarinfo,

    /// <summary>The narinfo is that of another path.</summary>
    NarinfoOfAnotherPath,

    /// <summary>The body is larger than any narinfo.</summary>
    NarinfoTooLarge,

    /// <summary>It has no NAR where its narinfo says that it has one.</summary>
    NarMissing,

    /// <summary>The body has a Content-Encoding that we do not know, or does not decode.</summary>
    UnknownEncoding,
}
