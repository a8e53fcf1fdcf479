namespace TrustixProxy.IO.Storage;

/// <summary>Files that are replaced whole: after a crash each is the old one or the new one.</summary>
public static class WholeFile
{
    /// <summary>Writes a file under another name, flushes it to the disk, and renames it. One process writes it at a time.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="mode">The permissions; those that the process gives new files when null.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    public static void Replace(string path, Action<Stream> write, UnixFileMode? mode = null)
    {
        var part = $"{path}.part";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = mode };
        using (var stream = new FileStream(part, options))
        {
            write(stream);
            stream.Flush(flushToDisk: true);
        }

        File.Move(part, path, overwrite: true);
    }
}
