namespace TrustixProxy.AptGate.Inspection;

/// <summary>A place that apt takes packages from.</summary>
/// <param name="File">The file that names it.</param>
/// <param name="Uri">Its address, as it stands there.</param>
/// <param name="IsTrusted">Whether apt is told not to check its signature.</param>
public sealed record AptSource(string File, string Uri, bool IsTrusted);

/// <summary>Reads where apt takes packages from: <c>sources.list</c>, and <c>*.list</c> and <c>*.sources</c> in
/// <c>sources.list.d</c>.</summary>
/// <remarks>Source: sources.list(5). Lines of <c>deb-src</c> bring no packages.</remarks>
public static class AptSources
{
    private static readonly char[] Blanks = [' ', '\t'];

    private static readonly string[] TrueWords = ["yes", "true", "with", "on", "enable", "1"];

    /// <summary>Lists the sources below a root folder.</summary>
    /// <param name="root">The folder: <c>/</c>, or a system's in a folder.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file must not be read.</exception>
    public static IReadOnlyList<AptSource> Read(string root)
    {
        var (main, folder) = (Path.Combine(root, "etc/apt/sources.list"), Path.Combine(root, "etc/apt/sources.list.d"));
        var files = Directory.Exists(folder) ? Directory.GetFiles(folder).Order(StringComparer.Ordinal) : Enumerable.Empty<string>();
        return [.. files.Prepend(main).Where(File.Exists).SelectMany(file => Path.GetExtension(file) switch
        {
            ".list" => OfLines(file, File.ReadAllText(file)),
            ".sources" => OfStanzas(file, File.ReadAllText(file)),
            _ => [],
        })];
    }

    /// <summary>Reads the form with one source in a line.</summary>
    public static IEnumerable<AptSource> OfLines(string file, string text)
    {
        foreach (var line in text.Split('\n'))
        {
            var (kind, rest) = Cut(line.Split('#')[0].Trim());
            if (kind is not "deb")
            {
                continue;
            }

            var options = "";
            if (rest.StartsWith('[') && rest.IndexOf(']', StringComparison.Ordinal) is var end and > 0)
            {
                (options, rest) = (rest[1..end], rest[(end + 1)..].TrimStart());
            }

            var isTrusted = options.Split(Blanks, StringSplitOptions.RemoveEmptyEntries).Any(option =>
                option.StartsWith("trusted=", StringComparison.OrdinalIgnoreCase) && IsTrue(option["trusted=".Length..]));
            if (Cut(rest).First is { Length: > 0 } uri)
            {
                yield return new AptSource(file, uri, isTrusted);
            }
        }
    }

    /// <summary>Reads the form with a stanza of fields for each source.</summary>
    public static IEnumerable<AptSource> OfStanzas(string file, string text)
    {
        foreach (var stanza in StanzasOf(text).Where(stanza => stanza.GetValueOrDefault("enabled") is not { } word || !IsFalse(word)))
        {
            if (!stanza.GetValueOrDefault("types", "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Contains("deb"))
            {
                continue;
            }

            foreach (var uri in stanza.GetValueOrDefault("uris", "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            {
                yield return new AptSource(file, uri, IsTrue(stanza.GetValueOrDefault("trusted", "")));
            }
        }
    }

    private static IEnumerable<Dictionary<string, string>> StanzasOf(string text)
    {
        var (stanza, last) = (new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase), "");
        foreach (var line in text.Split('\n').Select(line => line.TrimEnd('\r')).Where(line => !line.StartsWith('#')).Append(""))
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                if (stanza.Count > 0)
                {
                    yield return stanza;
                }

                (stanza, last) = (new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase), "");
            }
            else if (Blanks.Contains(line[0]))
            {
                stanza[last] = $"{stanza.GetValueOrDefault(last)} {line.Trim()}";
            }
            else if (line.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
            {
                (last, stanza[line[..colon]]) = (line[..colon], line[(colon + 1)..].Trim());
            }
        }
    }

    private static (string First, string After) Cut(string line)
    {
        var end = line.IndexOfAny(Blanks);
        return end < 0 ? (line, "") : (line[..end], line[end..].TrimStart());
    }

    private static bool IsTrue(string word) => TrueWords.Contains(word, StringComparer.OrdinalIgnoreCase);

    private static bool IsFalse(string word) =>
        new[] { "no", "false", "without", "off", "disable", "0" }.Contains(word, StringComparer.OrdinalIgnoreCase);
}
