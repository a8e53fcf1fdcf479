namespace TrustixProxy.Configuration;

/// <summary>This machine's name as keys, logs and addresses can bear it: a machine's name may be any bytes.</summary>
internal static class HostName
{
    private const int MaxLength = 50;

    /// <summary>The machine's name.</summary>
    public static string Own { get; } = Of(Environment.MachineName);

    /// <summary>Whether others may reach the machine by that name.</summary>
    public static bool IsAddress { get; } = Own.Equals(Environment.MachineName, StringComparison.OrdinalIgnoreCase);

    /// <summary>Small letters, digits, hyphens and underscores; what else a name has becomes a hyphen. <c>machine</c> when nothing is
    /// left.</summary>
    public static string Of(string name)
    {
        var letters = string.Concat(name.ToLowerInvariant().Take(MaxLength).Select(letter =>
            char.IsAsciiLetterOrDigit(letter) || letter is '_' ? letter : '-')).Trim('-');
        return letters.Length > 0 ? letters : "machine";
    }
}
