using System.Collections.Immutable;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Recognises this process's own requests: a proxy that is its own upstream, even through other proxies, would wait for
/// itself.</summary>
/// <remarks>Each process adds a mark as a comment to its User-Agent, so that servers see no unknown header. A request made on behalf of
/// another proxy's request also carries that request's marks. So a ring of proxies ends where it began.</remarks>
public static class OwnRequests
{
    private const string Product = "trustix-proxy/";

    /// <summary>Length of a mark with its parentheses, and the maximum number of marks passed on.</summary>
    private const int MarkLength = 18, MostMarks = 8;

    private static readonly string Mark =
        string.Create(CultureInfo.InvariantCulture, $"({Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))})");

    private static readonly ProductInfoHeaderValue Own = new(Mark);

    private static readonly AsyncLocal<ImmutableArray<ProductInfoHeaderValue>> Followed = new();

    /// <summary>The comments that mark a request as this process's, and as made on behalf of other proxies' requests.</summary>
    public static IEnumerable<ProductInfoHeaderValue> Comments => Followed.Value.IsDefaultOrEmpty ? [Own] : [Own, .. Followed.Value];

    /// <summary>Whether a client with this User-Agent is this process, or acts on its behalf.</summary>
    public static bool IsOurs(string? userAgent) => userAgent?.Contains(Mark, StringComparison.Ordinal) is true;

    /// <summary>Adds a request's marks to all requests that the calling method makes from now on.</summary>
    public static void Follow(string? userAgent)
    {
        if (userAgent?.StartsWith(Product, StringComparison.Ordinal) is not true)
        {
            return;
        }

        var marks = ImmutableArray.CreateBuilder<ProductInfoHeaderValue>();
        for (var start = userAgent.IndexOf('(', StringComparison.Ordinal); start >= 0
            && marks.Count < MostMarks; start = userAgent.IndexOf('(', start + 1))
        {
            if (userAgent.Length >= start + MarkLength && IsMark(userAgent.AsSpan(start, MarkLength)))
            {
                marks.Add(new ProductInfoHeaderValue(userAgent.Substring(start, MarkLength)));
            }
        }

        Followed.Value = marks.ToImmutable();
    }

    private static bool IsMark(ReadOnlySpan<char> text)
    {
        foreach (var digit in text[1..^1])
        {
            if (!char.IsAsciiHexDigitLower(digit))
            {
                return false;
            }
        }

        return text[^1] is ')';
    }
}
