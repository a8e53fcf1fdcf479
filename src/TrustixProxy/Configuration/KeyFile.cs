using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Configuration;

/// <summary>Writes secret keys: for their owner's eyes only, and never over another file.</summary>
internal static class KeyFile
{
    /// <exception cref="IOException">The file is there already, or cannot be written.</exception>
    public static void Write(string path, NixSecretKey key)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { Length: > 0 } directory)
        {
            Directory.CreateDirectory(directory);
        }

        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(Encoding.ASCII.GetBytes(key.Export() + "\n"));
        file.Flush(flushToDisk: true);
    }
}
