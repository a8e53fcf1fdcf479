using Microsoft.Win32.SafeHandles;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>The folder of the NAR store. A file comes into it by one rename, when all of it is on the disk; what else lies there is not
/// ours, and is left alone.</summary>
/// <param name="directory">Where it is; exists.</param>
public sealed class NarStoreFolder(string directory)
{
    private const string Temporary = ".writing-";

    /// <summary>Where it is.</summary>
    public string Location => directory;

    public string PathOf(StoredNar nar) => Path.Combine(directory, nar.Path.ToString(), nar.FileName);

    /// <summary>All its files, and when each was last used.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public IEnumerable<(StoredNar Nar, long Size, DateTime UsedAt)> List()
    {
        foreach (var folder in new DirectoryInfo(directory).EnumerateDirectories())
        {
            if (folder.LinkTarget is not null || !StorePath.TryParse(folder.Name, out var path, out _))
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

    /// <summary>Reads what the file system says of a file; null when there is none.</summary>
    public FileStamp? Look(StoredNar nar) => FileStamp.Read(PathOf(nar));

    /// <summary>Remembers with the file that it was used just now.</summary>
    public void Touch(StoredNar nar, DateTimeOffset now)
    {
        try
        {
            File.SetLastWriteTimeUtc(PathOf(nar), now.UtcDateTime);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is gone, or the disk is read-only: after a restart it counts as used longer ago.
        }
    }

    /// <summary>Begins a file under a name of its own, locked until it is closed: who cleans up leaves it alone.</summary>
    public (SafeFileHandle Handle, string Path) Begin()
    {
        var path = Path.Combine(directory, $"{Temporary}{Guid.NewGuid():N}");
        return (File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None), path);
    }

    /// <summary>Deletes what was begun, if the disk lets it be done: else it is left for later.</summary>
    public static void Discard(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Whoever cleans up finds it.
        }
    }

    /// <summary>Gives a file that was written its place in the store; answers its stamp there, null when it is another file by
    /// then.</summary>
    /// <param name="temporary">Where it was written.</param>
    /// <param name="nar">What it holds.</param>
    /// <param name="written">Its stamp when it was written.</param>
    public FileStamp? Publish(string temporary, StoredNar nar, FileStamp written)
    {
        var path = PathOf(nar);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Move(temporary, path, overwrite: true);
        return Look(nar) is { } moved && moved with { ChangedAt = written.ChangedAt } == written ? moved : null;
    }

    /// <summary>Deletes a file, and the folder of its path when that is empty then.</summary>
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

    /// <summary>Deletes what was begun by processes that have died; gives how much that was.</summary>
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
                // Somebody is writing it.
            }
        }

        return (files, bytes);
    }
}
