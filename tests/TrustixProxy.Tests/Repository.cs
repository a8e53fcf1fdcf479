namespace TrustixProxy.Tests;

/// <summary>The checkout that these tests were built in: found from where they run, as a deterministic build names no real path.</summary>
internal static class Repository
{
    public static string Root { get; } = Above(AppContext.BaseDirectory);

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

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
