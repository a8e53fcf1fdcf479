namespace TrustixProxy.Nars.Delivery;

/// <summary>Limits the disk space of all downloads together, and keeps a reserve of the disk free.</summary>
/// <param name="directory">An existing directory for spools.</param>
/// <param name="most">Maximum total size of all spools, in bytes.</param>
public sealed class SpoolSpace(string directory, long most)
{
    /// <summary>Free disk space that spools must leave, in bytes.</summary>
    private const long LeastFree = 512L << 20;

    /// <summary>Number of bytes written between checks of the free disk space.</summary>
    private const long BetweenLooks = 16L << 20;

    private const string Prefix = ".spool-";

    private long _used, _sinceLook = BetweenLooks;

    /// <summary>Total size of all spools, in bytes.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <summary>Frees a spool without readers; false when there is none.</summary>
    public Func<bool> MakeRoom { get; set; } = () => false;

    /// <summary>Opens a spool: a file without a name, which the system deletes with its last handle. Null when the disk refuses.</summary>
    public NarSpool? Open()
    {
        var path = Path.Combine(directory, $"{Prefix}{Guid.NewGuid():N}");
        try
        {
            var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            File.Delete(path);
            return new NarSpool(this, handle);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Deletes files left by a process that died between the two steps of <see cref="Open"/>.</summary>
    public void Clean()
    {
        try
        {
            foreach (var path in Directory.EnumerateFiles(directory, $"{Prefix}*"))
            {
                File.Delete(path);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Retried at the next start.
        }
    }

    /// <summary>Reserves bytes of the disk; false when none are left.</summary>
    public bool TryReserve(int count)
    {
        while (Interlocked.Add(ref _used, count) > most)
        {
            Release(count);
            if (!MakeRoom())
            {
                return false;
            }
        }

        if (HasFreeDisk(count))
        {
            return true;
        }

        Release(count);
        return false;
    }

    public void Release(long count) => Interlocked.Add(ref _used, -count);

    private bool HasFreeDisk(int count)
    {
        if (Interlocked.Add(ref _sinceLook, count) < BetweenLooks)
        {
            return true;
        }

        if (new DriveInfo(directory).AvailableFreeSpace < LeastFree)
        {
            return false;
        }

        Interlocked.Exchange(ref _sinceLook, 0);
        return true;
    }
}
