using System.Diagnostics;

namespace TrustixProxy.Witness;

/// <summary>The programs of others that <c>tests/Witness/programs</c> has built.</summary>
internal static class Programs
{
    private static readonly Lazy<Dictionary<string, string>> AtHand = new(() =>
        Shell.RunAsync(Path.Combine(AppContext.BaseDirectory, "programs"), ["list"]).GetAwaiter().GetResult().OrThrow().Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', 2))
            .ToDictionary(words => words[0], words => words[1]));

    /// <summary>Returns why a test of programs is skipped; null when they are there.</summary>
    public static string? Missing(params string[] names)
    {
        var missing = string.Join(", ", names.Where(name => !AtHand.Value.ContainsKey(name)));
        return missing.Length is 0 ? null : $"Missing: {missing}. Run tests/Witness/programs make as root.";
    }

    /// <summary>Runs a program.</summary>
    public static Task<Result> RunAsync(string name, params string[] arguments) => Shell.RunAsync(AtHand.Value[name], arguments);

    /// <summary>Starts a program; the caller ends it.</summary>
    public static Process Start(string name, Dictionary<string, string> environment, params string[] arguments) =>
        Process.Start(Shell.Start(AtHand.Value[name], arguments, environment))!;

    /// <summary>Runs a program whose standard input is a file.</summary>
    public static Task<Result> RunOnAsync(string input, string name, params string[] arguments) =>
        Shell.RunAsync("sh", ["-c", "input=$1; shift; exec \"$@\" <\"$input\"", "sh", input, AtHand.Value[name], .. arguments]);
}

/// <summary>A fact that needs programs of others.</summary>
public sealed class ProgramFactAttribute : FactAttribute
{
    /// <param name="names">The programs.</param>
    public ProgramFactAttribute(params string[] names) => Skip = Programs.Missing(names);
}

/// <summary>A theory that needs a program of others.</summary>
public sealed class ProgramTheoryAttribute : TheoryAttribute
{
    /// <param name="name">The program.</param>
    public ProgramTheoryAttribute(string name) => Skip = Programs.Missing(name);
}
