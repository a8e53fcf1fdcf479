namespace TrustixProxy.IO.Storage;

/// <summary>Locks a state directory for one process: two that sign for one log would fork it.</summary>
public static class DirectoryLock
{
    /// <summary>Locks the directory until the result is disposed, or the process ends in any way.</summary>
    /// <exception cref="IOException">Another process has locked the directory.</exception>
    public static IDisposable Take(string directory)
    {
        var path = Path.Combine(directory, "lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (Directory.Exists(directory))
        {
            throw new IOException(
                $"stateDirectory is '{directory}', which another trustix-proxy process uses: stop it, or set another directory.",
                exception);
        }
    }
}
