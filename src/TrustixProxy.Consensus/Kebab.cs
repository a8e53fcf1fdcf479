namespace TrustixProxy.Consensus;

/// <summary>Names of enum members as users read them.</summary>
public static class Kebab
{
    /// <summary><c>NoAnswer</c> as <c>no-answer</c>.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum =>
        string.Concat(value.ToString().Select((c, i) => char.IsUpper(c) && i > 0 ? $"-{char.ToLowerInvariant(c)}" : char.ToLowerInvariant(c).ToString()));
}
