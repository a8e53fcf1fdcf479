namespace TrustixProxy.Nars.Store;

/// <summary>A file that is not what its name says.</summary>
/// <param name="File">Its name within the store.</param>
/// <param name="Fault">What is wrong.</param>
public sealed record DamagedNar(string File, string Fault);

/// <summary>What a check of all files came to.</summary>
/// <param name="Files">How many were looked at.</param>
/// <param name="Bytes">How many bytes they have.</param>
/// <param name="Damaged">Those that are not what their names say.</param>
public sealed record NarStoreCheckResult(int Files, long Bytes, IReadOnlyList<DamagedNar> Damaged);

/// <summary>What was deleted to make room.</summary>
/// <param name="Deleted">How many NARs.</param>
/// <param name="Abandoned">How many files that a writer which died had begun.</param>
/// <param name="DeletedBytes">How many bytes both had.</param>
/// <param name="Bytes">How many bytes the others have.</param>
/// <param name="MaxSize">How many they may have.</param>
public sealed record NarStoreGcResult(int Deleted, int Abandoned, long DeletedBytes, long Bytes, long MaxSize);

/// <summary>What can be done with a store from outside, beside a proxy that runs over it: that notices what is gone when it looks for
/// it.</summary>
/// <param name="options">Where it is.</param>
public sealed class NarStoreMaintenance(NarStoreOptions options)
{
    private readonly NarStoreFolder _folder = new(options.Directory);

    /// <summary>Holds every file against its name, decompressed.</summary>
    /// <param name="isToDelete">Whether what is damaged is deleted.</param>
    /// <param name="cancellation">Ends it.</param>
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
                // It has made room since.
            }
        }

        return new NarStoreCheckResult(files, bytes, damaged);
    }

    /// <summary>Deletes what nobody will finish, and as many NARs as are too much.</summary>
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
