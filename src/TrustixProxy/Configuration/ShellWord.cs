using System.Text.RegularExpressions;

namespace TrustixProxy.Configuration;

/// <summary>A name in a command that people copy into a shell.</summary>
internal static partial class ShellWord
{
    /// <summary>The name as one word: quoted where a shell would take it for several, or for something else.</summary>
    public static string Of(string name) => Plain.IsMatch(name) ? name : $"'{name.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    [GeneratedRegex(@"^[\w@%+=:,./-]+\z")]
    private static partial Regex Plain { get; }
}
