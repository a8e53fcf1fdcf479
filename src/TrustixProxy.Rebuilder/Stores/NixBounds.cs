using System.Globalization;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>What one command of Nix may use.</summary>
/// <param name="Time">Maximum time.</param>
/// <param name="Temporary">The folder for its temporary files, counted as disk; empty for the system's own.</param>
internal sealed record NixBounds(TimeSpan Time, string Temporary)
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    /// <summary>Maximum size of the folders in <see cref="Measured"/> together, in bytes.</summary>
    public long Disk { get; init; } = long.MaxValue;

    /// <summary>Lists the folders that the command fills.</summary>
    public Func<IEnumerable<string>> Measured { get; init; } = () => [];

    /// <summary>Waits until a bound is exceeded, and returns which; null when cancelled before.</summary>
    public async Task<string?> GuardAsync(TimeProvider time, CancellationToken cancellation)
    {
        var start = time.GetTimestamp();
        try
        {
            while (true)
            {
                await Task.Delay(Poll, time, cancellation);
                if (time.GetElapsedTime(start) > Time)
                {
                    return $"it took more than {Time:c} (rebuilder.time)";
                }

                if (Disk < long.MaxValue && Measured().Sum(FolderSize.Of) is var size && size > Disk)
                {
                    return string.Create(CultureInfo.InvariantCulture, $"it used {size} bytes of disk, more than {Disk} (rebuilder.disk)");
                }
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }
}

/// <summary>Measures folders.</summary>
internal static class FolderSize
{
    private static readonly EnumerationOptions All = new()
    {
        RecurseSubdirectories = true,
        IgnoreInaccessible = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
    };

    /// <summary>Sums the sizes of all files below a folder, in bytes; zero when it is missing. Links are not followed.</summary>
    public static long Of(string folder)
    {
        try
        {
            return Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles("*", All).Sum(SizeOf) : 0;
        }
        catch (IOException)
        {
            return 0; // it was removed while we looked
        }
    }

    private static long SizeOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
