using System.Reflection;
using System.Text.RegularExpressions;
using TrustixProxy.Consensus;

namespace TrustixProxy.Tests;

/// <summary>How answers, metrics and pages spell the members of enums.</summary>
public sealed partial class KebabTests
{
    [Theory]
    [InlineData(SilenceReason.NoAnswer, "no-answer")]
    [InlineData(SilenceReason.Frozen, "frozen")]
    public void A_capital_after_the_first_letter_begins_a_word(SilenceReason reason, string expected) =>
        Assert.Equal(expected, Kebab.Of(reason));

    [Fact]
    public void Each_enum_of_the_rooms_has_a_dash_before_each_capital_but_the_first_and_nowhere_else()
    {
        var rooms = new[] { "TrustixProxy.Consensus", "TrustixProxy.Nix", "TrustixProxy.TransparencyLog", "TrustixProxy.Substituter",
            "trustix-proxy" };
        var values = rooms.SelectMany(room => Assembly.Load(room).GetTypes())
            .Where(type => type.IsEnum && !type.FullName!.Contains(".Wire.", StringComparison.Ordinal))
            .SelectMany(type => Enum.GetValuesAsUnderlyingType(type).Cast<object>().Select(value => Enum.ToObject(type, value)))
            .ToList();

        Assert.True(values.Count > 100);
        Assert.All(values, value => Assert.Equal(Capital().Replace($"{value}", "-$0").ToLowerInvariant(), Spelled(value)));
    }

    private static string Spelled(object value) =>
        (string)typeof(Kebab).GetMethod(nameof(Kebab.Of))!.MakeGenericMethod(value.GetType()).Invoke(null, [value])!;

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex Capital();
}
