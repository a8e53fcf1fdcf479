using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Tells this process's own requests: a proxy that is its own upstream, over whatever detour, would wait for itself.</summary>
/// <remarks>The mark is the comment of our User-Agent, so that no server sees a header that it does not know.</remarks>
internal static class OwnRequests
{
    private static readonly string Mark =
        string.Create(CultureInfo.InvariantCulture, $"({Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))})");

    /// <summary>What marks a request as this process's.</summary>
    public static ProductInfoHeaderValue Comment { get; } = new(Mark);

    /// <summary>Whether a client with this User-Agent is this process.</summary>
    public static bool IsOurs(string? userAgent) => userAgent?.Contains(Mark, StringComparison.Ordinal) is true;
}
