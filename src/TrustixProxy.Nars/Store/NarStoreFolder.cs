using Microsoft.Win32.SafeHandles;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>The folder of the NAR store. A file enters it by one rename, once it is all on disk. Foreign files in it are ignored.</summary>
/// <param name="directory">An existing directory.</param>
/// <param name="store">The store that the NARs' paths are in; Nix's when null.</param>
public sealed class NarStoreFolder(string directory, Nix.Store? store = null)
{
    private const string Temporary = ".writing-";

    /// <summary>The folder's path.</summary>
    public string Location => directory;

    public string PathOf(StoredNar nar) => Path.Combine(directory, nar.Path.ToString(), nar.FileName);

    /// <summary>Lists all files with their last use.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IEnumerable<(StoredNar Nar, long Size, DateTime UsedAt)> List()
    {
        foreach (var folder in new DirectoryInfo(directory).EnumerateDirectories())
        {
            if (folder.LinkTarget is not null || !StorePath.TryParse(folder.Name, store ?? Nix.Store.Nix, out var path, out _))
            {
                continue;
            }

            foreach (var file in folder.EnumerateFiles())
            {
                if (file.LinkTarget is null && StoredNar.TryParse(path, file.Name, out var nar))
                {
                    yield return (nar, file.Length, file.LastWriteTimeUtc);
                }
            }
        }
    }

    /// <summary>Reads a file's stamp from the file system; null when the file does not exist.</summary>
    public FileStamp? Look(StoredNar nar) => FileStamp.Read(PathOf(nar));

    /// <summary>Records on the file that it was used now.</summary>
    public void Touch(StoredNar nar, DateTimeOffset now)
    {
        try
        {
            File.SetLastWriteTimeUtc(PathOf(nar), now.UtcDateTime);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is gone, or the disk is read-only: after a restart its last use counts as earlier.
        }
    }

    /// <summary>Creates a temporary file, locked until it is closed: cleanups skip it.</summary>
    public (SafeFileHandle Handle, string Path) Begin()
    {
        var path = Path.Combine(directory, $"{Temporary}{Guid.NewGuid():N}");
        return (File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None), path);
    }

    /// <summary>Deletes a temporary file; if the disk refuses, a later cleanup does.</summary>
    public static void Discard(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next cleanup finds it.
        }
    }

    /// <summary>Moves a written file into the store; returns its stamp there, or null when it was replaced since.</summary>
    /// <param name="written">Its stamp after writing.</param>
    public FileStamp? Publish(string temporary, StoredNar nar, FileStamp written)
    {
        var path = PathOf(nar);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Move(temporary, path, overwrite: true);
        return Look(nar) is { } moved && moved with { ChangedAt = written.ChangedAt } == written ? moved : null;
    }

    /// <summary>Deletes a file, and its path's folder when that is empty.</summary>
    public void Delete(StoredNar nar)
    {
        var path = PathOf(nar);
        if (File.Exists(path))
        {
            File.Delete(path);
        }

        try
        {
            Directory.Delete(Path.GetDirectoryName(path)!);
        }
        catch (IOException)
        {
            // It is gone already, or has other files.
        }
    }

    /// <summary>Deletes temporary files of dead processes; returns their number and size.</summary>
    public (int Files, long Bytes) DeleteAbandoned()
    {
        var (files, bytes) = (0, 0L);
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles($"{Temporary}*"))
        {
            try
            {
                using var abandoned = new FileStream(
                    file.FullName, new FileStreamOptions { Access = FileAccess.ReadWrite, Share = FileShare.None });
                (files, bytes) = (files + 1, bytes + abandoned.Length);
                file.Delete();
            }
            catch (IOException)
            {
                // A process is writing it.
            }
        }

        return (files, bytes);
    }
}
