namespace TrustixProxy.Clients.Differential;

/// <summary>The table of what the proxy refuses and Nix takes: <c>differences.txt</c>.</summary>
internal static class Differences
{
    /// <summary>Reads the versions of Nix that take each listed oddity of a part of the corpus, by its name.</summary>
    /// <remarks>A line is <c>part | name | versions | reason</c>; lines that begin with # are comments. A listed difference
    /// may fail to show: on a busy machine Nix itself sometimes gives up on an odd file.</remarks>
    public static Dictionary<string, string> Read(string part) =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Differential", "differences.txt"))
            .Where(line => line.Length > 0 && line[0] is not '#')
            .Select(Parse)
            .Where(words => words[0] == part)
            .ToDictionary(words => words[1], words => words[2]);

    private static string[] Parse(string line) =>
        line.Split(" | ", 4) is [_, _, _, { Length: > 0 }] words ? words : throw new FormatException($"'{line}' gives no reason");
}
