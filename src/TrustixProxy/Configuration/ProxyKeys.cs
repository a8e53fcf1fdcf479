using System.Net;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Configuration;

/// <summary>Keys <c>proxy</c> and <c>proxyCredentialsFile</c>: which HTTP proxy leads to upstreams, caches, logs and peers.</summary>
internal static class ProxyKeys
{
    private const string Key = "proxy", FileKey = "proxyCredentialsFile", FromEnvironment = "environment", None = "none";

    /// <summary>Reads both keys, and where they say so the environment.</summary>
    public static HttpProxies Read(Section section)
    {
        var (text, file) = (section.Text(Key, FromEnvironment)!, section.Text(FileKey));
        var secret = file is null ? null : KeyFile.ReadSecret(section, FileKey, file);
        if (text is FromEnvironment or None)
        {
            if (file is not null)
            {
                section.Fault(FileKey, $"is '{file}', and '{Key}' names no proxy to send it to. Set '{Key}' to the proxy's "
                    + "address; http_proxy may hold user and password itself.");
            }

            return text is None ? HttpProxies.None : OfEnvironment(section);
        }

        if (!HttpProxies.TryReadAddress(text, out var address, out var inUrl))
        {
            section.Fault(Key, $"is '{Shown(text)}'; it must be http://host:port (also https:// or socks5://), \"{FromEnvironment}\" for "
                + "what http_proxy and https_proxy say, or \"{None}\".");
            return HttpProxies.None;
        }

        if (inUrl is not null)
        {
            section.Fault(Key, $"has a user name or password, which would appear in messages: put USER:PASSWORD into a file and "
                + $"set {FileKey} to it.");
        }

        return HttpProxies.Of(address, ReadCredentials(section, file, secret));
    }

    /// <summary>What the environment says; variables that name no proxy are faults.</summary>
    public static HttpProxies OfEnvironment(Section section)
    {
        if (section.IsDescribed)
        {
            return HttpProxies.None;
        }

        var proxies = HttpProxies.OfEnvironment(Environment.GetEnvironmentVariable, out var faults);
        foreach (var (variable, message) in faults)
        {
            section.FaultOfEnvironment(variable, message);
        }

        return proxies;
    }

    private static NetworkCredential? ReadCredentials(Section section, string? file, string? secret)
    {
        if (secret is null)
        {
            return null;
        }

        var colon = secret.IndexOf(':', StringComparison.Ordinal);
        if (colon > 0 && !secret.Any(char.IsControl))
        {
            return new NetworkCredential(secret[..colon], secret[(colon + 1)..]);
        }

        section.Fault(FileKey, $"is '{file}', which does not hold one line USER:PASSWORD.");
        return null;
    }

    private static string Shown(string text) => text.LastIndexOf('@') is var at and >= 0 ? $"…{text[at..]}" : text;
}
