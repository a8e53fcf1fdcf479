using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Configuration;

/// <summary>Reads and writes secret keys: for their owner's eyes only, and never over another file.</summary>
internal static class KeyFile
{
    /// <summary>The most bytes of a file with one key or password.</summary>
    private const int MaxKeySize = 4096;

    /// <exception cref="IOException">The file is there already, or cannot be written.</exception>
    public static void Write(string path, NixSecretKey key)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { Length: > 0 } directory)
        {
            Directory.CreateDirectory(directory);
        }

        if (Path.Exists(path))
        {
            throw new IOException($"The file '{path}' already exists.");
        }

        var draft = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            using (var file = new FileStream(draft, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                file.Write(Encoding.ASCII.GetBytes(key.Export() + "\n"));
                file.Flush(flushToDisk: true);
            }

            File.Move(draft, path, overwrite: false); // who is killed before this leaves no half of a key
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>Reads a secret key, in Nix's form or, where that is allowed, the reference log's: bare base64 of seed and public
    /// key.</summary>
    /// <param name="allowBare">Whether the reference's form is read.</param>
    /// <param name="fault">What is wrong, to follow the name of the setting.</param>
    public static bool TryRead(string path, bool allowBare, [NotNullWhen(true)] out NixSecretKey? key, out string fault)
    {
        (key, fault) = (null, "");
        try
        {
            var text = ReadText(path).Trim();
            if (!NixSecretKey.TryParse(allowBare && !text.Contains(':') ? $"log:{text}" : text, out key, out var error))
            {
                fault = $"is '{path}', whose content {CommonKeys.Explain(error)}.";
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            fault = $"is '{path}', which cannot be read: {exception.Message} Create keys with trustix-proxy keygen.";
        }

        return key is not null;
    }

    /// <summary>As <see cref="TryRead"/>, for files that must be private: one that others may read is refused, except where systemd keeps
    /// credentials.</summary>
    public static bool TryReadPrivate(string path, bool allowBare, [NotNullWhen(true)] out NixSecretKey? key, out string fault)
    {
        if (IsReadByOthers(path))
        {
            (key, fault) = (
                null, $"is '{path}', which other users can read: chmod 600 it, and create a new key if those users are not trusted.");
            return false;
        }

        return TryRead(path, allowBare, out key, out fault);
    }

    /// <summary>The one line of a file with a password; null, with the fault told, when there is none.</summary>
    public static string? ReadSecret(Section section, string key, string path)
    {
        var text = ReadPrivate(section, key, path)?.TrimEnd('\r', '\n');
        if (text is null || (text.Length > 0 && !text.AsSpan().ContainsAny('\r', '\n')))
        {
            return text;
        }

        section.Fault(key, $"is '{path}', which does not hold one line with the password.");
        return null;
    }

    /// <summary>The bearer token in a file of one line; null, with the fault told, when there is none.</summary>
    public static string? ReadToken(Section section, string key, string path)
    {
        var token = ReadSecret(section, key, path);
        if (token?.Any(letter => letter is <= ' ' or > '~') is not true)
        {
            return token;
        }

        section.Fault(key, $"is '{path}', whose token has characters other than printable ASCII without spaces.");
        return null;
    }

    /// <summary>What is in a file with secrets; null, with the fault told, when it cannot be read, or others than its owner may.</summary>
    public static string? ReadPrivate(Section section, string key, string path, int maxSize = MaxKeySize)
    {
        try
        {
            var text = ReadText(Path.GetFullPath(path), maxSize);
            if (!IsReadByOthers(path))
            {
                return text;
            }

            section.Fault(
                key, $"is '{path}', which other users can read: chmod 600 it, and change its secrets if those users are not trusted.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            section.Fault(key, $"is '{path}', which cannot be read: {exception.Message}");
        }

        return null;
    }

    /// <summary>Whether others than its owner may read a file; what systemd keeps as a credential counts as private.</summary>
    public static bool IsReadByOthers(string path)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        var isCredential = Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY") is { Length: > 0 } directory
            && Path.GetFullPath(path).StartsWith(directory + "/", StringComparison.Ordinal);
        return !isCredential && File.Exists(path) && (File.GetUnixFileMode(path) & others) is not 0;
    }

    /// <summary>As much of a file as a key can have: a device has no end.</summary>
    private static string ReadText(string path, int maxSize = MaxKeySize)
    {
        using var file = File.OpenRead(path);
        var buffer = new byte[maxSize];
        return Encoding.UTF8.GetString(buffer, 0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
    }
}
