using System.Globalization;
using TrustixProxy.Native;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Storage;

/// <summary>The folder of the store: <c>ab/HASH-TIME</c>, with the SHA-256 and the archive's time of the last change, 0 when unknown. The
/// file's own modification time is that of its last use. Foreign files are ignored.</summary>
/// <param name="directory">An existing directory.</param>
internal sealed class FileStoreFolder(string directory)
{
    private const string Temporary = ".writing-";

    /// <summary>Lists all files.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public IEnumerable<StoreEntry> List()
    {
        foreach (var folder in new DirectoryInfo(directory).EnumerateDirectories().Where(folder => folder.LinkTarget is null))
        {
            foreach (var file in folder.EnumerateFiles().Where(file => file.LinkTarget is null))
            {
                if (TryRead(file.Name, out var digest, out var modifiedAt)
                    && digest.ToString().StartsWith(folder.Name, StringComparison.Ordinal))
                {
                    yield return new StoreEntry(digest, file.Length, modifiedAt, file.LastWriteTimeUtc);
                }
            }
        }
    }

    public string PathOf(StoreEntry entry)
    {
        var hash = entry.Sha256.ToString();
        return Path.Combine(directory, hash[..2],
            string.Create(CultureInfo.InvariantCulture, $"{hash}-{entry.ModifiedAt?.ToUnixTimeSeconds() ?? 0}"));
    }

    public FileStamp? Look(StoreEntry entry) => FileStamp.Read(PathOf(entry));

    /// <summary>Creates a temporary file, locked until it is closed: cleanups skip it.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public Spool Begin()
    {
        var path = Path.Combine(directory, $"{Temporary}{Guid.NewGuid():N}");
        return new Spool(File.OpenHandle(
            path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous), path);
    }

    /// <summary>Moves a written file into the store; returns its stamp there, or null when it was replaced since.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public FileStamp? Publish(Spool spool, StoreEntry entry)
    {
        var (path, written) = (PathOf(entry), FileStamp.Read(spool.Path));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Move(spool.Path, path, overwrite: true);
        spool.IsPublished = true;
        return written is { } stamp && Look(entry) is { } moved && moved with { ChangedAt = stamp.ChangedAt } == stamp ? moved : null;
    }

    /// <summary>Records on the file that it was used now.</summary>
    public void Touch(StoreEntry entry, DateTimeOffset now) => Try(() => File.SetLastWriteTimeUtc(PathOf(entry), now.UtcDateTime));

    public void Delete(StoreEntry entry) => Try(() => File.Delete(PathOf(entry)));

    /// <summary>Deletes a temporary file; if the disk refuses, a later cleanup does.</summary>
    public static void Discard(string temporary) => Try(() => File.Delete(temporary));

    /// <summary>Deletes temporary files of dead processes.</summary>
    public void DeleteAbandoned()
    {
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles($"{Temporary}*"))
        {
            Try(() =>
            {
                using var abandoned = File.OpenHandle(file.FullName, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                file.Delete();
            });
        }
    }

    private static bool TryRead(string name, out Digest digest, out DateTimeOffset? modifiedAt)
    {
        (digest, modifiedAt) = (default, null);
        var dash = name.IndexOf('-', StringComparison.Ordinal);
        if (dash != Digest.Size * 2
            || !long.TryParse(name.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
        {
            return false;
        }

        try
        {
            digest = new Digest(Convert.FromHexString(name.AsSpan(0, dash)));
        }
        catch (FormatException)
        {
            return false;
        }

        modifiedAt = seconds is 0 ? null : DateTimeOffset.FromUnixTimeSeconds(seconds);
        return true;
    }

    private static void Try(Action change)
    {
        try
        {
            change();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is gone, in use, or the disk is read-only.
        }
    }
}

/// <summary>What the store knows of a file.</summary>
/// <param name="Sha256">Its SHA-256, and so its name.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="ModifiedAt">The archive's time of the last change; null when unknown.</param>
/// <param name="UsedAt">Its last use.</param>
internal sealed record StoreEntry(Digest Sha256, long Size, DateTimeOffset? ModifiedAt, DateTime UsedAt);
