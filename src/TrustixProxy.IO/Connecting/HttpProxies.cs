using System.Net;

namespace TrustixProxy.IO.Connecting;

/// <summary>Which HTTP proxy leads to which peer.</summary>
/// <remarks>From the environment, as curl and .NET read it: <c>http_proxy</c> and <c>https_proxy</c> by the URL's scheme, else
/// <c>all_proxy</c>; <c>no_proxy</c> for exceptions.
/// Small letters go before capitals, and an empty variable is none. <c>HTTP_PROXY</c> in capitals is heeded as .NET does (curl does
/// not), unless <c>GATEWAY_INTERFACE</c> is set:
/// a CGI program gets that variable from its client. Nothing on this machine is ever asked through a proxy.</remarks>
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

    /// <summary>Every peer is asked directly.</summary>
    public static HttpProxies None { get; } = new(null, null, null);

    /// <summary>What the environment of this process says; variables that name no proxy say nothing.</summary>
    public static HttpProxies FromEnvironment => OfThisProcess.Value;

    /// <summary>Whether any peer is asked through a proxy.</summary>
    public bool IsEmpty => _http is null && _https is null;

    /// <summary>One proxy for all peers but those that the environment's <c>no_proxy</c> names.</summary>
    /// <param name="address">The proxy: see <see cref="TryReadAddress"/>.</param>
    /// <param name="credentials">What it is shown; null when it asks for nothing.</param>
    public static HttpProxies Of(Uri address, NetworkCredential? credentials) =>
        new(new HttpProxy(address, credentials), new HttpProxy(address, credentials),
            Variable(Environment.GetEnvironmentVariable, "no_proxy"));

    /// <summary>Reads an environment.</summary>
    /// <param name="environment">Gives a variable's value; null when it is not set.</param>
    /// <param name="faults">The variables that name no proxy, with what is wrong. No password is in them.</param>
    public static HttpProxies OfEnvironment(Func<string, string?> environment, out IReadOnlyList<(string Variable, string Message)> faults)
    {
        var found = new List<(string, string)>();
        var isCgi = environment("GATEWAY_INTERFACE") is { Length: > 0 };
        var http = Read(environment, "http_proxy", found, hasCapitals: !isCgi) ?? Read(environment, "all_proxy", found);
        var https = Read(environment, "https_proxy", found) ?? Read(environment, "all_proxy", found);
        faults = [.. found.Distinct()];
        return http is null && https is null ? None : new HttpProxies(http, https, Variable(environment, "no_proxy"));
    }

    /// <summary>Reads a proxy's address: <c>host</c>, <c>host:port</c>, or a URL with http, https, socks4, socks4a, socks5 or socks5h
    /// and no path.</summary>
    /// <param name="text">The address, which may begin with <c>user:password@</c>.</param>
    /// <param name="address">The address without user and password, and with a port.</param>
    /// <param name="credentials">User and password; null when there are none.</param>
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

    /// <summary>The proxy that leads to an address; null when it is asked directly.</summary>
    public HttpProxy? For(Uri address) =>
        (address.Scheme is "https" ? _https : _http) is { } proxy && !_bypass.Covers(address) ? proxy : null;

    /// <inheritdoc/>
    public bool Equals(HttpProxies? other) => _identity == other?._identity;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as HttpProxies);

    /// <inheritdoc/>
    public override int GetHashCode() => _identity.GetHashCode(StringComparison.Ordinal);

    /// <summary>The proxies' addresses, never a password.</summary>
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
