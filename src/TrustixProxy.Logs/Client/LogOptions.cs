using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Logs.Client;

/// <summary>Configures one log.</summary>
/// <param name="Elector">The elector that votes by this log.</param>
/// <param name="Url">http, https, or <c>unix:/path/of/socket</c>; for an export http, https, or file: a folder.</param>
/// <param name="IsMirrored">Whether the log is followed entry by entry and answered from here, instead of queried per path.</param>
/// <param name="IsExport">Whether the address holds static files that <c>log export</c> wrote; such a log is always mirrored.</param>
public sealed record LogOptions(Elector.Log Elector, Uri Url, bool IsMirrored = false, bool IsExport = false)
{
    /// <summary>Who we are to it, and who vouches for it; null for nobody, and whom this machine trusts.</summary>
    public PeerTls? Tls { get; init; }
}
