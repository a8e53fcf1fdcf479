using System.Text;

namespace TrustixProxy.Publisher;

/// <summary>This machine's Nix description of one valid path.</summary>
/// <param name="Statement">The statement for a log.</param>
/// <param name="IsBuiltHere">Whether it was built on this machine (Nix's <c>ultimate</c>), not fetched or copied; null when Nix did not
/// say.</param>
/// <param name="RegisteredAt">When it became valid, to the second; null when Nix did not say.</param>
public sealed record DescribedOutput(BuildStatement Statement, bool? IsBuiltHere, DateTimeOffset? RegisteredAt)
{
    /// <summary>Returns what <c>nix path-info --json</c> would print, as far as a publisher needs it.</summary>
    public string ToJson() =>
        $"{Encoding.ASCII.GetString(Statement.Value)[..^1]},\"ultimate\":{(IsBuiltHere is { } said ? said ? "true" : "false" : "null")}}}";
}
