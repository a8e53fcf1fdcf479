using TrustixProxy.IO.Connecting;

namespace TrustixProxy.AptGate.Archives;

/// <summary>Configures an archive of Debian packages whose files pass through the gate.</summary>
/// <param name="Name">The first segment of its files' addresses at the gate; unique.</param>
/// <param name="Url">Its root: http or https, with an optional path.</param>
public sealed record ArchiveOptions(string Name, Uri Url)
{
    /// <summary>Selects the HTTP proxy for it.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    /// <summary>Maximum wait for an answer's first byte, and maximum silence within a file.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);
}
