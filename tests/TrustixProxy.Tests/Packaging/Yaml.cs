using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.Packaging;

/// <summary>As much of YAML as <c>compose.yaml</c> needs, and nothing else: block mappings, lists, flow lists of quoted texts, plain and quoted texts, comments.</summary>
/// <remarks>What is outside of that is refused, so that what is read here means the same to every reader.</remarks>
internal sealed partial class Yaml
{
    private readonly List<(int Number, int Indent, string Text)> _lines = [];
    private int _next;

    private Yaml(string text)
    {
        foreach (var (line, i) in text.Split('\n').Select((line, i) => (line, i)))
        {
            Check(!line.Contains('\t', StringComparison.Ordinal) && line.TrimEnd() == line, i, "has a tab, or white space at its end");
            var content = line.TrimStart();
            if (content.Length > 0 && content[0] is not '#')
            {
                _lines.Add((i, line.Length - content.Length, content));
            }
        }
    }

    /// <exception cref="FormatException">It is no such YAML; names the line.</exception>
    public static JsonObject Parse(string text)
    {
        var yaml = new Yaml(text);
        var document = yaml.Mapping(0);
        Check(yaml._next == yaml._lines.Count, yaml._next, "is indented as nothing above it");
        return document;
    }

    private JsonObject Mapping(int indent)
    {
        var mapping = new JsonObject();
        while (_next < _lines.Count && _lines[_next].Indent == indent && _lines[_next].Text[0] is not '-')
        {
            var (number, _, text) = _lines[_next++];
            var match = Entry.Match(text);
            Check(match.Success, number, "is no 'key: value'");
            Check(!mapping.ContainsKey(match.Groups[1].Value), number, "names a key twice");
            mapping.Add(match.Groups[1].Value, match.Groups[2].Success ? Value(match.Groups[2].Value, number) : Below(indent));
        }

        return mapping;
    }

    /// <summary>What is indented below a key: a mapping, a list, or nothing.</summary>
    private JsonNode? Below(int indent)
    {
        if (_next == _lines.Count || _lines[_next].Indent <= indent)
        {
            return null;
        }

        var (number, inner, text) = _lines[_next];
        Check(inner == indent + 2, number, "is not indented by two");
        return text[0] is '-' ? List(inner) : Mapping(inner);
    }

    private JsonArray List(int indent)
    {
        var list = new JsonArray();
        while (_next < _lines.Count && _lines[_next].Indent == indent)
        {
            var (number, _, text) = _lines[_next++];
            Check(text.StartsWith("- ", StringComparison.Ordinal), number, "is no list's item");
            list.Add(Value(text[2..], number));
        }

        return list;
    }

    private static JsonNode Value(string text, int number)
    {
        if (text[0] is '[')
        {
            Check(FlowList.IsMatch(text), number, "is no list of quoted texts");
            return new JsonArray([.. Quoted.Matches(text).Select(match => (JsonNode?)JsonValue.Create(match.Groups[1].Value))]);
        }

        if (Quoted.Match(text) is { Success: true } quoted && quoted.Length == text.Length)
        {
            return JsonValue.Create(quoted.Groups[1].Value);
        }

        Check(Plain.IsMatch(text), number, "has a text that has to be quoted");
        return text is "true" or "false" ? JsonValue.Create(text is "true") : JsonValue.Create(text);
    }

    private static void Check(bool isGood, int line, string fault)
    {
        if (!isGood)
        {
            throw new FormatException($"line {line + 1} {fault}");
        }
    }

    [GeneratedRegex("^([A-Za-z_][A-Za-z0-9_]*):(?: (.+))?$")]
    private static partial Regex Entry { get; }

    [GeneratedRegex("""^\["[^"\\]*"(?:, "[^"\\]*")*\]$""")]
    private static partial Regex FlowList { get; }

    [GeneratedRegex("""
        "([^"\\]*)"
        """)]
    private static partial Regex Quoted { get; }

    [GeneratedRegex("^[A-Za-z./][A-Za-z0-9_./-]*$")]
    private static partial Regex Plain { get; }
}
