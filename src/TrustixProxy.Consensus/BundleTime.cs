using System.Globalization;

namespace TrustixProxy.Consensus;

/// <summary>The form of times in bundles: ISO 8601 in UTC, with milliseconds.</summary>
public static class BundleTime
{
    private const string Form = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>Writes a time.</summary>
    public static string Of(DateTimeOffset time) => time.UtcDateTime.ToString(Form, CultureInfo.InvariantCulture);

    /// <summary>Reads a time exactly as <see cref="Of"/> writes it.</summary>
    public static bool TryParse(string text, out DateTimeOffset time) =>
        DateTimeOffset.TryParseExact(text, Form, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
}
