using System.Text.Json;

namespace TrustixProxy.Consensus;

/// <summary>Names enum members in the form that users read.</summary>
public static class Kebab
{
    /// <summary>Converts <c>NoAnswer</c> to <c>no-answer</c>.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum =>
        JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}
