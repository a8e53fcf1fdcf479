namespace TrustixProxy.Witness;

/// <summary>The programs of others that <c>tests/Witness/programs</c> has built.</summary>
internal static class Programs
{
    private static readonly Lazy<Dictionary<string, string>> AtHand = new(() =>
        Shell.RunAsync(Path.Combine(AppContext.BaseDirectory, "programs"), ["list"]).GetAwaiter().GetResult().OrThrow().Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', 2))
            .ToDictionary(words => words[0], words => words[1]));

    /// <summary>Returns why a test of a program is skipped; null when the program is there.</summary>
    public static string? Missing(string name) =>
        AtHand.Value.ContainsKey(name) ? null : $"{name} is missing: run tests/Witness/programs make as root.";

    /// <summary>Runs a program.</summary>
    public static Task<Result> RunAsync(string name, params string[] arguments) => Shell.RunAsync(AtHand.Value[name], arguments);

    /// <summary>Runs a program whose standard input is a file.</summary>
    public static Task<Result> RunOnAsync(string input, string name, params string[] arguments) =>
        Shell.RunAsync("sh", ["-c", "input=$1; shift; exec \"$@\" <\"$input\"", "sh", input, AtHand.Value[name], .. arguments]);
}

/// <summary>A fact that needs a program of others.</summary>
public sealed class ProgramFactAttribute : FactAttribute
{
    /// <param name="name">The program.</param>
    public ProgramFactAttribute(string name) => Skip = Programs.Missing(name);
}

/// <summary>A theory that needs a program of others.</summary>
public sealed class ProgramTheoryAttribute : TheoryAttribute
{
    /// <param name="name">The program.</param>
    public ProgramTheoryAttribute(string name) => Skip = Programs.Missing(name);
}
