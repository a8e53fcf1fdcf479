using System.Text.Json;

namespace TrustixProxy.Consensus;

/// <summary>Names of enum members as users read them.</summary>
public static class Kebab
{
    /// <summary>Spells <c>NoAnswer</c> as <c>no-answer</c>.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum =>
        JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}
