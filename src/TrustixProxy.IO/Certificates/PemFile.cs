using System.Text;

namespace TrustixProxy.IO.Certificates;

/// <summary>Reads files with certificates, keys and revocation lists.</summary>
internal static class PemFile
{
    /// <summary>Maximum size, in bytes: devices never end.</summary>
    private const int MaxSize = 4 << 20;

    /// <exception cref="IOException">The file is too large, or cannot be read.</exception>
    public static byte[] Read(string path)
    {
        using var stream = File.OpenRead(path);
        var buffer = new byte[Math.Clamp(stream.CanSeek ? stream.Length + 1 : MaxSize, 4096, MaxSize)];
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return length < buffer.Length ? buffer[..length] : throw new IOException($"'{path}' has more than 4 MiB.");
    }

    /// <exception cref="IOException">The file is too large, or cannot be read.</exception>
    public static string ReadText(string path) => Encoding.UTF8.GetString(Read(path));
}
