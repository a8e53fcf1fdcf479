using System.Diagnostics;

namespace TrustixProxy.Testing;

/// <summary>Puts programs and scripts where tests start them at once.</summary>
/// <remarks>Another process writes the file. A child that some other test starts inherits, for an instant, each file that this process
/// holds open, and Linux refuses to run a file that anybody may still write to ("Text file busy").</remarks>
public static class RunnableFile
{
    /// <summary>Writes a shell script; an older one of that name is replaced, and folders that lack are made.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="body">What follows the line that names the shell.</param>
    /// <returns>Its path.</returns>
    public static string WriteScript(string path, string body)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var draft = Path.GetTempFileName();
        try
        {
            File.WriteAllText(draft, $"#!/bin/sh\n{body}\n");
            return Copy(draft, path);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>Copies a file so that anybody can run the copy; an older one of that name is replaced.</summary>
    /// <returns>The copy's path.</returns>
    /// <exception cref="IOException">It cannot be copied.</exception>
    public static string Copy(string from, string to)
    {
        using var install = Process.Start(new ProcessStartInfo("install", ["-m", "755", from, to]) { RedirectStandardError = true })!;
        var error = install.StandardError.ReadToEnd();
        install.WaitForExit();
        return install.ExitCode is 0 ? to : throw new IOException(error);
    }
}
