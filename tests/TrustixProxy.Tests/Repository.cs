namespace TrustixProxy.Tests;

/// <summary>The checkout that these tests were built in: found from where they run, as a deterministic build names no real path.</summary>
internal static class Repository
{
    public static string Root { get; } = Above(AppContext.BaseDirectory);

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>What users read: every Markdown file but those beside test data, README.md first.</summary>
    public static IReadOnlyList<string> Documents { get; } =
    [
        "README.md",
        .. new[] { ".github", "docker", "nix", "src" }.SelectMany(folder => Sources(folder, "*.md"))
            .Select(file => Path.GetRelativePath(Root, file)).OrderBy(file => file.Replace('/', '\0'), StringComparer.Ordinal),
        "tests/README.md", "tests/Benchmarks/README.md",
    ];

    /// <summary>All documents as one text.</summary>
    public static string DocumentsText { get; } = string.Join('\n', Documents.Select(Read));

    /// <summary>Source files below a folder; nothing that a build made.</summary>
    public static IEnumerable<string> Sources(string folder, string pattern = "*.cs") =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal));

    /// <summary>Lines of code: not blank, and no comment.</summary>
    public static int CodeLines(string file) =>
        File.ReadLines(file).Select(line => line.Trim()).Count(line => line.Length > 0 && !line.StartsWith("//", StringComparison.Ordinal));

    private static string Above(string folder) =>
        File.Exists(Path.Combine(folder, "TrustixProxy.sln")) ? folder
        : Above(Path.GetDirectoryName(folder)
            ?? throw new DirectoryNotFoundException($"{AppContext.BaseDirectory} is below no TrustixProxy.sln"));
}
