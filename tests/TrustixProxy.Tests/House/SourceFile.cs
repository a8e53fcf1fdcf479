using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.House;

/// <summary>A source file, as far as the rules of the house look at it.</summary>
/// <param name="Name">Its path below <c>src</c>, for messages.</param>
/// <param name="Text">Its text.</param>
internal sealed partial record SourceFile(string Name, string Text)
{
    /// <summary>The code without comments, texts and usings.</summary>
    private string Code { get; } = Using.Replace(Literal.Replace(Comment.Replace(Text, ""), "\"\""), "");

    /// <summary>Its namespace; empty for the first statement of the program.</summary>
    public string Namespace { get; } = NamespaceLine.Match(Text).Groups[1].Value;

    /// <summary>The namespaces and types of ours that its usings name.</summary>
    public IEnumerable<string> Used => UsingOfOurs.Matches(Text).Select(match => match.Groups[1].Value).Distinct();

    /// <summary>Names of the types that it declares outside of others.</summary>
    public IReadOnlySet<string> Declared => Declaration.Matches(Code).Select(match => match.Groups[1].Value).ToHashSet();

    /// <summary>All names that it could refer to a type by.</summary>
    public IReadOnlySet<string> Mentioned => Identifier.Matches(Code).Select(match => match.Value).ToHashSet();

    /// <summary>The files of a folder of the repository.</summary>
    public static IReadOnlyList<SourceFile> All(string folder) =>
        [.. Repository.Sources(folder).Select(file => new SourceFile(Path.GetRelativePath(Repository.Root, file), File.ReadAllText(file)))];

    [GeneratedRegex(@"(?m)//.*$")]
    private static partial Regex Comment { get; }

    [GeneratedRegex("(?s)\"\"\".*?\"\"\"|\\$?\"(\\\\.|[^\"\\\\\\n])*\"")]
    private static partial Regex Literal { get; }

    [GeneratedRegex(@"(?m)^using .*$")]
    private static partial Regex Using { get; }

    [GeneratedRegex(@"(?m)^namespace ([\w.]+);")]
    private static partial Regex NamespaceLine { get; }

    [GeneratedRegex(@"(?m)^using (?:static |\w+ = )?(TrustixProxy[\w.]*);")]
    private static partial Regex UsingOfOurs { get; }

    [GeneratedRegex(@"(?m)^(?:\w+ )*(?:class|record struct|record|struct|enum|interface) (\w+)")]
    private static partial Regex Declaration { get; }

    [GeneratedRegex(@"\b[A-Z]\w+\b")]
    private static partial Regex Identifier { get; }
}
