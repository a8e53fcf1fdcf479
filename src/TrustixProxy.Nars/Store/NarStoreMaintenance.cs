namespace TrustixProxy.Nars.Store;

/// <summary>A file that does not match its name.</summary>
/// <param name="File">The file's name in the store.</param>
public sealed record DamagedNar(string File, string Fault);

/// <summary>The result of a check of all files.</summary>
/// <param name="Files">Number of files checked.</param>
/// <param name="Bytes">Their total size in bytes.</param>
/// <param name="Damaged">The files that do not match their names.</param>
public sealed record NarStoreCheckResult(int Files, long Bytes, IReadOnlyList<DamagedNar> Damaged);

/// <summary>The result of a garbage collection.</summary>
/// <param name="Deleted">Number of NARs deleted.</param>
/// <param name="Abandoned">Number of temporary files of dead writers deleted.</param>
/// <param name="DeletedBytes">Size of both in bytes.</param>
/// <param name="Bytes">Size of the remaining files in bytes.</param>
/// <param name="MaxSize">Maximum total size in bytes.</param>
public sealed record NarStoreGcResult(int Deleted, int Abandoned, long DeletedBytes, long Bytes, long MaxSize)
{
    /// <summary>The result in the bucket that replicas share; null without one.</summary>
    public SharedNarsGcResult? Shared { get; init; }
}

/// <summary>Maintains a store from outside. A proxy may run on it: the proxy notices deleted files on its next access.</summary>
public sealed class NarStoreMaintenance(NarStoreOptions options)
{
    private readonly NarStoreFolder _folder = new(options.Directory, options.Store);

    /// <summary>Checks every file, decompressed, against its name.</summary>
    /// <param name="isToDelete">Whether to delete damaged files.</param>
    public async Task<NarStoreCheckResult> CheckAsync(bool isToDelete, CancellationToken cancellation)
    {
        var (files, bytes, damaged) = (0, 0L, new List<DamagedNar>());
        foreach (var (nar, size, _) in _folder.List())
        {
            try
            {
                var fault = await StoredNarCheck.RunAsync(_folder.PathOf(nar), nar, isKnown: false, cancellation);
                (files, bytes) = (files + 1, bytes + size);
                if (fault is not null)
                {
                    damaged.Add(new DamagedNar(nar.ToString(), $"{fault}"));
                    if (isToDelete)
                    {
                        _folder.Delete(nar);
                    }
                }
            }
            catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
            {
                // The proxy has evicted it since.
            }
        }

        return new NarStoreCheckResult(files, bytes, damaged);
    }

    /// <summary>Deletes abandoned temporary files, and evicts NARs down to the limit.</summary>
    public NarStoreGcResult Collect()
    {
        var (abandoned, bytes) = _folder.DeleteAbandoned();
        var index = new StoredNarIndex(options.MaxSize, options.Pinned);
        foreach (var (nar, size, _) in _folder.List().OrderBy(file => file.UsedAt))
        {
            index.Add(nar, size);
        }

        var excess = index.Excess(0, out _);
        foreach (var entry in excess)
        {
            _folder.Delete(entry.Nar);
            index.Remove(entry.Nar);
        }

        return new NarStoreGcResult(excess.Count, abandoned, bytes + excess.Sum(entry => entry.Size), index.Size, options.MaxSize);
    }
}
