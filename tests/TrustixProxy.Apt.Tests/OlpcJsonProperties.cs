using System.Buffers;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace TrustixProxy.Apt.Tests;

/// <summary>However a value is spelled, it has the one form that was signed.</summary>
public sealed class OlpcJsonProperties
{
    private static readonly Config Often = Config.QuickThrowOnFailure.WithMaxTest(1000);

    private static readonly string[] Texts = ["", "a", "B", "ab", "é", "\uffee", "\U0001F600", "\"", "\\", "/", "\u007f", "{}", "null"];

    [Fact]
    public void Any_spelling_of_a_value_has_its_canonical_form() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (canonical, spelled) = Value(new Random(seed), depth: 0);
        return FormOf(spelled) == canonical && FormOf(canonical) == canonical;
    }));

    [Theory]
    [InlineData("1.0")]
    [InlineData("1e3")]
    [InlineData("-0")]
    [InlineData("9223372036854775808")]
    [InlineData("\"\\u0000\"")]
    [InlineData("\"\\n\"")]
    [InlineData("{\"a\\tb\":1}")]
    [InlineData("[[1,{\"a\":[\"\\r\"]}]]")]
    public void A_value_that_others_write_otherwise_has_none(string json) => Assert.Null(FormOf(json));

    private static string? FormOf(string json)
    {
        using var document = JsonDocument.Parse(json);
        var into = new ArrayBufferWriter<byte>();
        return OlpcJson.TryWrite(document.RootElement, into) ? Encoding.UTF8.GetString(into.WrittenSpan) : null;
    }

    /// <summary>A random value: its canonical form as the definition says, and another spelling.</summary>
    private static (string Canonical, string Spelled) Value(Random random, int depth)
    {
        switch (random.Next(depth < 4 ? 7 : 5))
        {
            case 0:
                return ("null", "null");
            case 1:
                return ("true", " true");
            case 2:
                return ("false", "false ");
            case 3:
                var number = random.NextInt64(long.MinValue, long.MaxValue).ToString();
                return (number, $"\n{number}");
            case 4:
                return Text(Texts[random.Next(Texts.Length)], random);
            case 5:
                var items = Enumerable.Range(0, random.Next(4)).Select(_ => Value(random, depth + 1)).ToList();
                return ($"[{string.Join(',', items.Select(item => item.Canonical))}]",
                    $"[{string.Join(" ,", items.Select(item => item.Spelled))}\t]");
            default:
                var members = Texts.Where(_ => random.Next(3) is 0)
                    .Select(name => (Name: name, Text: Text(name, random), Value: Value(random, depth + 1))).ToList();
                var ordered = members.OrderBy(member => Convert.ToHexString(Encoding.UTF8.GetBytes(member.Name)), StringComparer.Ordinal);
                var shuffled = members.OrderBy(_ => random.Next());
                return ($"{{{string.Join(',', ordered.Select(member => $"{member.Text.Canonical}:{member.Value.Canonical}"))}}}",
                    $"{{ {string.Join(" , ", shuffled.Select(member => $"{member.Text.Spelled} : {member.Value.Spelled}"))}}}");
        }
    }

    private static (string Canonical, string Spelled) Text(string text, Random random)
    {
        var canonical = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        var escaped = string.Concat(text.Select(character => $"\\u{(int)character:x4}"));
        return ($"\"{canonical}\"", random.Next(2) is 0 ? $"\"{canonical}\"" : $"\"{escaped}\"");
    }
}
