using System.Collections.Immutable;
using TrustixProxy.Apt;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.AptGate.Rebuilders;

/// <summary>Configures a rebuilderd whose attestations vote.</summary>
/// <param name="Elector">Its name, operator and key.</param>
/// <param name="Url">Its address: http or https, with an optional path.</param>
public sealed record RebuilderOptions(Rebuilder Elector, Uri Url)
{
    /// <summary>The architectures that it is asked about; all when empty.</summary>
    public ImmutableArray<string> Architectures { get; init; } = [];

    /// <summary>Selects the HTTP proxy for it.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;
}
