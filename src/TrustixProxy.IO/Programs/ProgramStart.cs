using System.Diagnostics;

namespace TrustixProxy.IO.Programs;

/// <summary>Starts other programs; no other code in this program does.</summary>
/// <remarks>Searches the absolute entries of <c>PATH</c> for a bare name, in order. Empty and relative entries name the current directory,
/// where an attacker may have put a file of that name. <see cref="Process"/> itself even searches there before <c>PATH</c>.</remarks>
public static class ProgramStart
{
    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Starts a program with its standard output piped to us; null when no absolute entry of <c>PATH</c> has it.</summary>
    /// <param name="name">A name without a slash.</param>
    /// <param name="isErrorPiped">Whether to pipe its standard error too; otherwise it inherits ours.</param>
    /// <param name="environment">Variables added to ours.</param>
    public static Process? TryStart(
        string name, IEnumerable<string> arguments, bool isErrorPiped = false, params (string Name, string Value)[] environment)
    {
        var path = Environment.GetEnvironmentVariable("PATH");
        if (Find(name, path) is not { } file)
        {
            return null;
        }

        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = isErrorPiped };
        start.Environment["PATH"] = string.Join(Path.PathSeparator, Entries(path)); // its own children are found the same way
        foreach (var (variable, value) in environment)
        {
            start.Environment[variable] = value;
        }

        return Process.Start(start);
    }

    /// <summary>Starts a program with both outputs piped to us and only these variables; null when no absolute entry of <c>PATH</c> has
    /// it.</summary>
    /// <param name="name">A name without a slash.</param>
    /// <param name="environment">All of its variables but <c>PATH</c>: nothing of ours reaches it or its children.</param>
    public static Process? TryStartAlone(
        string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var path = Environment.GetEnvironmentVariable("PATH");
        if (Find(name, path) is not { } file)
        {
            return null;
        }

        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = string.Join(Path.PathSeparator, Entries(path));
        foreach (var (variable, value) in environment)
        {
            start.Environment[variable] = value;
        }

        return Process.Start(start);
    }

    /// <summary>Finds a program's file; null when no absolute entry of <paramref name="path"/> has it.</summary>
    /// <param name="name">A name without a slash.</param>
    /// <param name="path">The value of <c>PATH</c>; null when it is not set.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> has a slash, or is empty.</exception>
    public static string? Find(string name, string? path)
    {
        if (name.Length is 0 || name.Contains('/', StringComparison.Ordinal))
        {
            throw new ArgumentException($"'{name}' is not a program's bare name", nameof(name));
        }

        return Entries(path).Select(entry => Path.Combine(entry, name)).FirstOrDefault(IsProgram);
    }

    private static IEnumerable<string> Entries(string? path) =>
        (path ?? "").Split(Path.PathSeparator).Where(entry => entry.StartsWith('/'));

    private static bool IsProgram(string file)
    {
        try
        {
            return File.Exists(file) && (File.GetUnixFileMode(file) & AnyExecute) is not 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false; // deleted, or not readable: try the next entry
        }
    }
}
