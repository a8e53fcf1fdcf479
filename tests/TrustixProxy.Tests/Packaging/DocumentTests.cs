using System.Text.RegularExpressions;
using Xunit.Abstractions;

namespace TrustixProxy.Tests.Packaging;

/// <summary>Holds the form of the documents: a short README.md, links that lead somewhere, tables of contents, a glossary.</summary>
public sealed partial class DocumentTests(ITestOutputHelper output)
{
    public static TheoryData<string> Documents => [.. Repository.Documents];

    [Fact]
    public void The_readme_is_read_in_one_sitting() => Assert.InRange(Lines("README.md").Length, 1, 240);

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_link_leads_to_a_file_and_a_heading_that_exist(string document)
    {
        foreach (var target in Links(document).Where(target => !target.Contains("://", StringComparison.Ordinal)))
        {
            var (path, anchor) = target.Split('#') is [var file, var rest] ? (file, rest) : (target, null);
            var full = path.Length is 0 ? document : Path.GetRelativePath(Repository.Root,
                Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(document)!, path)));

            Assert.True(Path.Exists(Path.Combine(Repository.Root, full)), $"{document} links to {target}, which is not there");
            Assert.True(anchor is null || Anchors(full).Contains(anchor), $"{document} links to {target}; {full} has no such heading");
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void A_document_with_more_than_three_sections_begins_with_a_table_of_them(string document)
    {
        var lines = Prose(document).ToList();
        var sections = lines.Where(line => line.StartsWith("## ", StringComparison.Ordinal)).Select(line => line[3..]).ToList();
        var opening = string.Join('\n', lines.TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal)));
        var table = Link.Matches(opening).Where(match => match.Groups[2].Value.StartsWith('#')).ToList();

        Assert.True(sections.Count <= 3 || table.Count > 0, $"{document} has no table of contents");
        Assert.True(table.Count is 0 || table.Select(match => match.Groups[1].Value).SequenceEqual(sections),
            $"{document} begins with a table of other sections than it has: {string.Join(", ", sections)}");
    }

    [Theory]
    [InlineData("How do I install it?", "README.md", "Install")]
    [InlineData("How do I go back?", "nix/README.md", "Back out")]
    [InlineData("How do I begin?", "src/TrustixProxy/TEN-MINUTES.md", "At home")]
    [InlineData("Why does Nix build everything?", "src/TrustixProxy/TROUBLESHOOTING.md", "Nix builds what it used to fetch")]
    [InlineData("Which preset do I take?", "README.md", "Which preset")]
    [InlineData("What does a 404 mean?", "src/TrustixProxy.Consensus/README.md", "What a 404 means")]
    [InlineData("How do I rotate the key?", "src/TrustixProxy.Substituter/README.md", "Rotating keys")]
    [InlineData("What if a log is frozen?", "src/TrustixProxy.Logs/README.md", "A log is frozen")]
    [InlineData("How do I add a builder?", "src/TrustixProxy.Publisher/README.md", "Being a builder")]
    [InlineData("What do 1,000 machines need?", "src/TrustixProxy.Substituter/README.md", "Sizing")]
    [InlineData("How do I verify a bundle?", "src/TrustixProxy/README.md", "Verifying a bundle")]
    [InlineData("How do I report a vulnerability?", ".github/SECURITY.md", "How to report")]
    public void What_readers_look_for_has_a_heading_that_the_readme_leads_to(string question, string file, string heading)
    {
        Assert.True(Prose(file).Any(line => line.TrimStart('#') == $" {heading}"), $"{question} {file} has no heading '{heading}'");
        Assert.True(file is "README.md" || Links("README.md").Any(target => target.Split('#')[0] == file),
            $"README.md does not link to {file}");
    }

    [Fact]
    public void Every_term_of_the_glossary_is_used_in_another_document()
    {
        const string Glossary = "src/README.md";
        var text = Repository.Read(Glossary);
        var terms = Term.Matches(text[text.IndexOf("\n## Glossary\n", StringComparison.Ordinal)..])
            .Select(match => match.Groups[1].Value).Where(term => term is not "term").ToList();
        var others = string.Join('\n', Repository.Documents.Where(document => document is not Glossary).Select(Repository.Read));

        Assert.True(terms.Count >= 30);
        Assert.Equal(terms.Order(StringComparer.OrdinalIgnoreCase), terms);
        Assert.All(terms, term => Assert.True(Regex.IsMatch(others, $@"\b{Regex.Escape(term)}(e?s)?\b", RegexOptions.IgnoreCase),
            $"'{term}' is explained, but no other document uses it"));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void No_line_of_prose_is_longer_than_300_characters(string document) =>
        Assert.All(Prose(document).Where(line => !line.StartsWith('|')), line => Assert.InRange(line.Length, 0, 300));

    /// <summary>The share is told, and may not grow.</summary>
    [Fact]
    public void Few_sentences_have_more_than_25_words()
    {
        var (all, tooLong) = (0, 0);
        foreach (var document in Repository.Documents)
        {
            var text = string.Join('\n', Prose(document).Where(line => !line.StartsWith('|') && !line.StartsWith('#'))
                .Select(line => line.TrimStart().StartsWith("- ", StringComparison.Ordinal) ? $".\n{line}" : line));
            var lengths = End.Split(text).Select(sentence => Word.Count(sentence)).Where(words => words > 0).ToList();
            var share = lengths.Count(words => words > 25);
            (all, tooLong) = (all + lengths.Count, tooLong + share);
            output.WriteLine($"{document}: {share} of {lengths.Count} sentences have more than 25 words");
        }

        output.WriteLine($"all documents: {tooLong} of {all}, {100.0 * tooLong / all:f1} %");
        Assert.InRange(100.0 * tooLong / all, 0, LongSentences);
    }

    /// <summary>In percent. It was 0.5 when the documents were divided.</summary>
    private const double LongSentences = 2;

    private static string[] Lines(string document) => Repository.Read(document).TrimEnd('\n').Split('\n');

    /// <summary>The lines outside of blocks of code.</summary>
    private static IEnumerable<string> Prose(string document)
    {
        var isCode = false;
        foreach (var line in Lines(document))
        {
            var isFence = line.TrimStart().StartsWith("```", StringComparison.Ordinal);
            isCode ^= isFence;
            if (!isCode && !isFence)
            {
                yield return line;
            }
        }
    }

    private static IEnumerable<string> Links(string document) =>
        Link.Matches(string.Join('\n', Prose(document))).Select(match => match.Groups[2].Value);

    /// <summary>GitHub's: small letters, hyphens for spaces, no other punctuation, a number when a heading comes again.</summary>
    private static HashSet<string> Anchors(string document)
    {
        var seen = new Dictionary<string, int>();
        var anchors = new HashSet<string>();
        foreach (var heading in Prose(document).Where(line => Heading.IsMatch(line)))
        {
            var anchor = Punctuation.Replace(heading.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-');
            var count = seen[anchor] = seen.GetValueOrDefault(anchor, -1) + 1;
            anchors.Add(count is 0 ? anchor : $"{anchor}-{count}");
        }

        return anchors;
    }

    [GeneratedRegex(@"\[([^\]\[]+)\]\(([^)\s]+)\)")]
    private static partial Regex Link { get; }

    [GeneratedRegex("^#{1,6} ")]
    private static partial Regex Heading { get; }

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex Punctuation { get; }

    [GeneratedRegex(@"^\| ([A-Za-z][\w -]*?) \|", RegexOptions.Multiline)]
    private static partial Regex Term { get; }

    /// <summary>The end of a sentence, of a paragraph, or what leads to a block.</summary>
    [GeneratedRegex(@"[.?!:][)*]*(?=\s|$)|\n\s*\n")]
    private static partial Regex End { get; }

    [GeneratedRegex(@"[^\s*·]*[\p{L}\d][^\s]*")]
    private static partial Regex Word { get; }
}
