namespace TrustixProxy.Terminal;

/// <summary>Escapes texts for workflow commands of GitHub Actions: <c>::error title=TITLE::MESSAGE</c>.</summary>
internal static class GitHubCommand
{
    /// <summary>A message: one line.</summary>
    public static string Data(string text) => text.Replace("%", "%25", StringComparison.Ordinal)
        .Replace("\r", "%0D", StringComparison.Ordinal).Replace("\n", "%0A", StringComparison.Ordinal);

    /// <summary>The value of a property, which also ends at a comma or two colons.</summary>
    public static string Property(string text) => Data(text).Replace(":", "%3A", StringComparison.Ordinal)
        .Replace(",", "%2C", StringComparison.Ordinal);
}
