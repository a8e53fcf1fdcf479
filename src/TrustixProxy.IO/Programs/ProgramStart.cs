using System.Diagnostics;

namespace TrustixProxy.IO.Programs;

/// <summary>Starts other programs. Nothing else in this program does.</summary>
/// <remarks>
/// A bare name is looked for in the absolute entries of <c>PATH</c>, in their order. Empty and relative entries name the current directory,
/// where anyone may have put a file of that name; <see cref="Process"/> itself even looks there before it looks at <c>PATH</c>.
/// </remarks>
public static class ProgramStart
{
    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Starts a program with its standard output piped to us; null when no absolute entry of <c>PATH</c> has it.</summary>
    /// <param name="name">Its name, without a slash.</param>
    /// <param name="isErrorPiped">Whether its standard error is piped to us too; otherwise it goes where ours goes.</param>
    /// <param name="environment">Variables that it gets beside ours.</param>
    public static Process? TryStart(
        string name, IEnumerable<string> arguments, bool isErrorPiped = false, params (string Name, string Value)[] environment)
    {
        var path = Environment.GetEnvironmentVariable("PATH");
        if (Find(name, path) is not { } file)
        {
            return null;
        }

        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = isErrorPiped };
        start.Environment["PATH"] = string.Join(Path.PathSeparator, Entries(path)); // what it starts is found the same way
        foreach (var (variable, value) in environment)
        {
            start.Environment[variable] = value;
        }

        return Process.Start(start);
    }

    /// <summary>The file of a program; null when no absolute entry of <paramref name="path"/> has it.</summary>
    /// <param name="name">Its name, without a slash.</param>
    /// <param name="path">The value of <c>PATH</c>; null when it is not set.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> has a slash, or is empty.</exception>
    public static string? Find(string name, string? path)
    {
        if (name.Length is 0 || name.Contains('/', StringComparison.Ordinal))
        {
            throw new ArgumentException($"'{name}' is no bare name of a program", nameof(name));
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
            return false; // it went away, or we may not look at it: the next entry may have it
        }
    }
}
