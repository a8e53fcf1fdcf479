namespace TrustixProxy.Nars.Delivery;

/// <summary>The disk space that downloads may use together: bounded, and never the last of the disk.</summary>
/// <param name="directory">Where spools are opened; exists.</param>
/// <param name="most">The most bytes of all spools together.</param>
public sealed class SpoolSpace(string directory, long most)
{
    /// <summary>How much of the disk stays free for others.</summary>
    private const long LeastFree = 512L << 20;

    /// <summary>The free disk space is read again after so many bytes.</summary>
    private const long BetweenLooks = 16L << 20;

    private const string Prefix = ".spool-";

    private long _used, _sinceLook = BetweenLooks;

    /// <summary>How many bytes all spools have.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <summary>Frees a spool that nobody reads; false when there is none.</summary>
    public Func<bool> MakeRoom { get; init; } = () => false;

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

    /// <summary>Deletes what a process left that died between the two steps of <see cref="Open"/>.</summary>
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
            // The next start tries again.
        }
    }

    /// <summary>Reserves bytes of the disk; false when there are none left.</summary>
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
