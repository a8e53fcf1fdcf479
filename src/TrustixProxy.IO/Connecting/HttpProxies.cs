using System.Net;

namespace TrustixProxy.IO.Connecting;

/// <summary>Selects the HTTP proxy for each peer.</summary>
/// <remarks>Reads the environment like curl and .NET: <c>http_proxy</c> and <c>https_proxy</c> by the URL's scheme, else <c>all_proxy</c>;
/// <c>no_proxy</c> for exceptions. Lower case takes precedence, and an empty variable counts as unset. Like .NET and unlike curl,
/// upper-case <c>HTTP_PROXY</c> counts, unless <c>GATEWAY_INTERFACE</c> is set: a CGI program gets that variable from its client. This
/// machine itself is never reached through a proxy.</remarks>
public sealed class HttpProxies : IEquatable<HttpProxies>
{
    private const int DefaultPort = 80;

    private static readonly Lazy<HttpProxies> OfThisProcess = new(() => OfEnvironment(Environment.GetEnvironmentVariable, out _));

    private readonly HttpProxy? _http, _https;
    private readonly ProxyBypass _bypass;
    private readonly string _identity;

    private HttpProxies(HttpProxy? http, HttpProxy? https, string? bypass)
    {
        (_http, _https, _bypass) = (http, https, new ProxyBypass(bypass));
        _identity = $"{http?.Identity}\n{https?.Identity}\n{bypass}";
    }

    /// <summary>Connects to every peer directly.</summary>
    public static HttpProxies None { get; } = new(null, null, null);

    /// <summary>The proxies of this process's environment; invalid variables are ignored.</summary>
    public static HttpProxies FromEnvironment => OfThisProcess.Value;

    /// <summary>Whether all peers are reached directly.</summary>
    public bool IsEmpty => _http is null && _https is null;

    /// <summary>Uses one proxy for all peers except those in the environment's <c>no_proxy</c>.</summary>
    /// <param name="address">The proxy: see <see cref="TryReadAddress"/>.</param>
    /// <param name="credentials">Credentials for the proxy; null without any.</param>
    public static HttpProxies Of(Uri address, NetworkCredential? credentials) =>
        new(new HttpProxy(address, credentials), new HttpProxy(address, credentials),
            Variable(Environment.GetEnvironmentVariable, "no_proxy"));

    /// <summary>Reads an environment.</summary>
    /// <param name="environment">Returns a variable's value; null when it is not set.</param>
    /// <param name="faults">The invalid variables, with the reason and without passwords.</param>
    public static HttpProxies OfEnvironment(Func<string, string?> environment, out IReadOnlyList<(string Variable, string Message)> faults)
    {
        var found = new List<(string, string)>();
        var isCgi = environment("GATEWAY_INTERFACE") is { Length: > 0 };
        var http = Read(environment, "http_proxy", found, hasCapitals: !isCgi) ?? Read(environment, "all_proxy", found);
        var https = Read(environment, "https_proxy", found) ?? Read(environment, "all_proxy", found);
        faults = [.. found.Distinct()];
        return http is null && https is null ? None : new HttpProxies(http, https, Variable(environment, "no_proxy"));
    }

    /// <summary>Parses a proxy's address: <c>host</c>, <c>host:port</c>, or a URL with http, https, socks4, socks4a, socks5 or socks5h and
    /// no path.</summary>
    /// <param name="text">The address, optionally with <c>user:password@</c> in front.</param>
    /// <param name="address">The address without user and password, and with a port.</param>
    /// <param name="credentials">User and password; null without them.</param>
    public static bool TryReadAddress(string text, [NotNullWhen(true)] out Uri? address, out NetworkCredential? credentials)
    {
        (address, credentials) = (null, null);
        var full = text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}";
        if (!Uri.TryCreate(full.Replace("socks5h://", "socks5://", StringComparison.OrdinalIgnoreCase), UriKind.Absolute, out var url)
            || url.Scheme is not ("http" or "https" or "socks4" or "socks4a" or "socks5")
            || url.IdnHost.Length is 0 || url.PathAndQuery is not ("/" or "") || url.Fragment.Length > 0
            || full.Any(letter => letter is <= ' ' or (char)127))
        {
            return false;
        }

        var port = url.Port > 0 ? url.Port : url.Scheme.StartsWith("socks", StringComparison.Ordinal) ? 1080 : DefaultPort;
        address = new UriBuilder(url.Scheme, url.IdnHost, port).Uri;
        var parts = url.UserInfo.Split(':', 2);
        credentials = url.UserInfo.Length is 0 ? null
            : new NetworkCredential(Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
        return true;
    }

    /// <summary>Returns the proxy for an address; null for a direct connection.</summary>
    public HttpProxy? For(Uri address) =>
        (address.Scheme is "https" ? _https : _http) is { } proxy && !_bypass.Covers(address) ? proxy : null;

    /// <inheritdoc/>
    public bool Equals(HttpProxies? other) => _identity == other?._identity;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as HttpProxies);

    /// <inheritdoc/>
    public override int GetHashCode() => _identity.GetHashCode(StringComparison.Ordinal);

    /// <summary>Returns the proxies' addresses, never a password.</summary>
    public override string ToString() => IsEmpty ? "none"
        : string.Join(", ", new[] { _http, _https }.OfType<HttpProxy>().Select(proxy => $"{proxy}").Distinct());

    private static HttpProxy? Read(Func<string, string?> environment, string name, List<(string, string)> faults, bool hasCapitals = true)
    {
        if (Variable(environment, name, hasCapitals) is not { } text)
        {
            return null;
        }

        if (TryReadAddress(text, out var address, out var credentials))
        {
            return new HttpProxy(address, credentials);
        }

        var shown = text.LastIndexOf('@') is var at and >= 0 ? $"…{text[at..]}" : text;
        faults.Add((name, $"is '{shown}' in the environment; a proxy is host:port, or http://, https:// or socks5:// with host and port. "
            + "Set it so, or unset it."));
        return null;
    }

    private static string? Variable(Func<string, string?> environment, string name, bool hasCapitals = true) =>
        environment(name) is { Length: > 0 } small ? small
        : hasCapitals && environment(name.ToUpperInvariant()) is { Length: > 0 } large ? large
        : null;
}
