namespace TrustixProxy.Nars.Upstreams;

/// <summary>Why a request to an upstream gave nothing usable. Messages use the kebab case of a member's name.</summary>
public enum UpstreamFailure
{
    /// <summary>The host name does not resolve.</summary>
    NameResolution,

    /// <summary>Nothing listens at the address.</summary>
    ConnectionRefused,

    /// <summary>No route leads to the address.</summary>
    Unreachable,

    /// <summary>The connection broke before the answer was complete.</summary>
    ConnectionReset,

    /// <summary>No answer in time.</summary>
    Silent,

    /// <summary>The TLS certificate's authority is not trusted on this machine.</summary>
    UntrustedCertificate,

    /// <summary>The TLS handshake failed for another reason: the name, the date, the protocol.</summary>
    Tls,

    /// <summary>The upstream demands a client certificate, or rejects ours.</summary>
    ClientCertificate,

    /// <summary>The HTTP proxy refused the connection.</summary>
    ProxyRefused,

    /// <summary>The server of a bucket refused the signature: the key, its time or the region is wrong.</summary>
    CredentialsRefused,

    /// <summary>This machine's metadata service gives no key of an instance role.</summary>
    NoInstanceRole,

    /// <summary>The folder that serves as this upstream cannot be read.</summary>
    Folder,

    /// <summary>Our own request failed for another reason.</summary>
    RequestFailed,

    /// <summary>An HTTP status that says nothing about the path; <see cref="UpstreamFault.Status"/> keeps the number.</summary>
    HttpStatus,

    /// <summary>The upstream asked for a pause (429, or Retry-After).</summary>
    Throttled,

    /// <summary>A redirect to a forbidden place, or too many redirects.</summary>
    RedirectRefused,

    /// <summary>The address, or one it redirects to, is private and not allowed for this upstream.</summary>
    AddressRefused,

    /// <summary>The body is not a narinfo.</summary>
    NotANarinfo,

    /// <summary>The narinfo belongs to another path.</summary>
    NarinfoOfAnotherPath,

    /// <summary>The body is too large for a narinfo.</summary>
    NarinfoTooLarge,

    /// <summary>The body is too large for a proof file or for attestations.</summary>
    FileTooLarge,

    /// <summary>The NAR is missing where the narinfo says it is.</summary>
    NarMissing,

    /// <summary>The body's Content-Encoding is unknown, or does not decode.</summary>
    UnknownEncoding,

    /// <summary>The NAR has a compression that cannot be verified.</summary>
    UnsupportedCompression,
}
