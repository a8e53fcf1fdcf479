using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.House;

/// <summary>How wide a line may be, how long a function, how many parameters there may be, and which of them are documented.</summary>
internal static partial class Sizes
{
    public const int MaxColumns = 140, MaxParameters = 7, MaxFunctionLines = 60;

    /// <summary>Lines that are too wide. Texts inside of raw string literals are what they are.</summary>
    public static IEnumerable<string> WideLines(string text)
    {
        var isRaw = false;
        foreach (var line in text.Split('\n'))
        {
            var wasRaw = isRaw;
            isRaw ^= RawQuotes.Count(line) % 2 is 1;
            if (line.Length > MaxColumns && !wasRaw && !RawQuotes.IsMatch(line))
            {
                yield return line;
            }
        }
    }

    /// <summary>Constructors and methods with too many parameters. Records are exempt: they are forms of data.</summary>
    public static IEnumerable<string> LongParameterLists(string text) =>
        Declaration.Matches(Comment.Replace(text, ""))
            .Where(match => !match.Groups["head"].Value.Contains("record ", StringComparison.Ordinal))
            .Where(match => CountParameters(match.Groups["list"].Value) > MaxParameters)
            .Select(match => match.Groups["head"].Value.Trim());

    /// <summary>Functions with too many lines, from the brace that opens one to the brace that closes it.</summary>
    public static IEnumerable<string> LongFunctions(string text)
    {
        var lines = text.Split('\n');
        for (var i = 1; i < lines.Length; i++)
        {
            var isOpening = lines[i] is "    {" && !OtherHead.IsMatch(lines[i - 1]) && FunctionHead.IsMatch(
                string.Join('\n', lines[..i].Reverse().TakeWhile(line => line.Length > 0 && line[0] is ' ').Take(9).Reverse()));
            var length = isOpening ? Array.IndexOf(lines, "    }", i) - i - 1 : 0;
            if (length > MaxFunctionLines)
            {
                yield return $"{lines[i - 1].Trim()}: {length} lines";
            }
        }
    }

    /// <summary>Documented parameters that the declaration below does not have, for example since they were renamed.</summary>
    public static IEnumerable<string> StrayParameters(string text)
    {
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var head = string.Join(' ', lines.Skip(i).SkipWhile(line => line.TrimStart() is ['/', '/', '/', ..]).Take(14));
            foreach (var name in DocumentedParameter.Matches(lines[i]).Select(match => match.Groups["name"].Value))
            {
                if (!Regex.IsMatch(head, $@"\b{name}\b"))
                {
                    yield return $"line {i + 1}: {name}";
                }
            }
        }
    }

    private static int CountParameters(string list)
    {
        var (depth, count) = (0, list.Trim().Length is 0 ? 0 : 1);
        foreach (var character in list)
        {
            depth += character switch { '(' or '<' or '[' or '{' => 1, ')' or '>' or ']' or '}' => -1, _ => 0 };
            count += character is ',' && depth is 0 ? 1 : 0;
        }

        return count;
    }

    [GeneratedRegex("\"\"\"+")]
    private static partial Regex RawQuotes { get; }

    [GeneratedRegex(@"///.*<param(ref)? name=""(?<name>\w+)""")]
    private static partial Regex DocumentedParameter { get; }

    [GeneratedRegex(@"(?m)//.*$")]
    private static partial Regex Comment { get; }

    [GeneratedRegex(@"(?m)^ {0,8}(?<head>(?:(?:public|internal|private|protected|static|sealed|abstract|partial|async|override|readonly) )+"
        + @"[\w<>?,\[\]. ()]*?\w(?:<[\w, ]+>)?)"
        + @"\((?<list>(?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*(?:=>|\{|:|where|;)")]
    private static partial Regex Declaration { get; }

    /// <summary>The head of a nested type with parameters, or of a collection that is written out.</summary>
    [GeneratedRegex(@"\b(class|record|struct) |= new\(")]
    private static partial Regex OtherHead { get; }

    [GeneratedRegex(@"\)[^;=]*$")]
    private static partial Regex FunctionHead { get; }
}
