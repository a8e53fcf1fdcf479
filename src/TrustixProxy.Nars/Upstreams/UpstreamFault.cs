using TrustixProxy.Consensus;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>A failed request to an upstream, as shown to users.</summary>
/// <param name="Kind">The reason.</param>
/// <param name="Status">The HTTP status, if there was one.</param>
public sealed record UpstreamFault(UpstreamFailure Kind, int? Status = null)
{
    /// <summary>The failure in one word: <c>connection-refused</c>, <c>http-503</c>.</summary>
    public string Word => this is { Kind: UpstreamFailure.HttpStatus, Status: { } status } ? $"http-{status}" : Kebab.Of(Kind);

    /// <summary>The word for a metric's label. It has only the class of a status, so an upstream cannot create new labels.</summary>
    public string Label =>
        this is { Kind: UpstreamFailure.HttpStatus, Status: { } status } ? $"http-{Math.Clamp(status / 100, 1, 6)}xx" : Kebab.Of(Kind);

    /// <summary>The remedy; null where the word is enough.</summary>
    public string? Remedy => Kind switch
    {
        UpstreamFailure.UntrustedCertificate =>
            "this machine does not trust its certificate: set caFile, SSL_CERT_FILE or NIX_SSL_CERT_FILE to a file with its CA",
        UpstreamFailure.Tls => "check its certificate's name and dates; if it demands a client certificate, set clientCertificateFile",
        UpstreamFailure.ClientCertificate =>
            "it demands a client certificate, or rejects ours: set clientCertificateFile and clientKeyFile, or renew them",
        UpstreamFailure.HttpStatus when Status is 400 =>
            "over https it may demand a client certificate: set clientCertificateFile and clientKeyFile, or renew them",
        UpstreamFailure.HttpStatus when Status is 401 or 407 => "it requires credentials: set netrcFile or bearerFile",
        UpstreamFailure.HttpStatus when Status is 301 => "it moved: check its url, and the region of a bucket",
        UpstreamFailure.CredentialsRefused =>
            "check the key in credentialsFile or the environment, profile and region in its url, and this machine's clock",
        UpstreamFailure.NoInstanceRole => "give this machine a role, or set credentialsFile in place of instanceRole",
        UpstreamFailure.NameResolution => "check its host name and this machine's DNS",
        UpstreamFailure.ProxyRefused => "check http_proxy, https_proxy and no_proxy",
        UpstreamFailure.NarMissing => "its narinfos name NARs it does not have: notify its operator",
        UpstreamFailure.UnsupportedCompression =>
            "no proxy can verify this NAR's compression: its operator can compress with xz, zstd, bzip2, gzip, br, lz4, lzma or lzip",
        UpstreamFailure.NotANarinfo => "its answers are not narinfos: check its url",
        _ => null,
    };

    /// <summary>Whether the upstream itself answered, so that a retry gives the same.</summary>
    /// <remarks>408 and 425 ask for a retry, and a 5xx says nothing about the path: these are failures, and are retried.</remarks>
    public bool IsAnswer => Kind switch
    {
        UpstreamFailure.HttpStatus => Status is < 500 and not (408 or 425),
        UpstreamFailure.Throttled or UpstreamFailure.RedirectRefused or UpstreamFailure.NotANarinfo => true,
        UpstreamFailure.NarinfoOfAnotherPath or UpstreamFailure.NarinfoTooLarge or UpstreamFailure.FileTooLarge
            or UpstreamFailure.UnknownEncoding or UpstreamFailure.NarMissing or UpstreamFailure.UnsupportedCompression => true,
        _ => false,
    };

    /// <inheritdoc/>
    public override string ToString() => Remedy is null ? Word : $"{Word}: {Remedy}";

    /// <summary>Returns the fault for an exception of a request to an upstream.</summary>
    public static UpstreamFault OfException(Exception exception) => UpstreamFaultException.FaultOf(exception);

    /// <summary>Returns the fault for an HTTP status; null for an answer about the path, whether present or absent.</summary>
    /// <remarks>Nix takes a body with 200, 201 and 206. Its content shows whether it is one.</remarks>
    public static UpstreamFault? OfStatus(int status) => status switch
    {
        (>= 200 and < 300) or 404 or 410 or 403 => null,
        429 => new UpstreamFault(UpstreamFailure.Throttled, status),
        _ => new UpstreamFault(UpstreamFailure.HttpStatus, status),
    };
}
