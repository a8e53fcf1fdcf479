using System.Globalization;

namespace TrustixProxy.Benchmarks;

/// <summary>What a log of some size would take, by its layout alone: map pages, index runs and tiles are counted, not written.</summary>
/// <remarks>Paths are random, so the map's pages follow from the number of entries: one for each beginning of 4, 8, 12 … bits that two
/// entries share. The index is merged by the rule of the log node (<c>IndexMerges</c>).</remarks>
internal static class LogModel
{
    private const int Batch = 500, LeafSlot = 72, PageSlot = 40, Masks = 4, Slots = 16, Levels = 16;

    /// <summary>The log node's: rows at which a run is written, rows of an entry, bytes of a row, and when runs are merged.</summary>
    private const int RunRows = 65_536, RowsOfEntry = 2, RowSize = 13, Ratio = 3;

    /// <summary>Levels of the map whose pages stay in memory, with their nodes, and bytes for one.</summary>
    private const int KeptLevels = 4, KeptPage = 1_250;

    public static int Run(IEnumerable<long> sizes)
    {
        Console.WriteLine($"{"entries",14} {"pages/batch",11} {"read",6} {"written B",9} {"map GB",7} {"live pages",11} {"runs",5} "
            + $"{"rewritten",9} {"index GB",8} {"tiles GB",8} {"files",11} {"kept MB",7}");
        foreach (var size in sizes)
        {
            var (pages, read, bytes, live, liveBytes, kept) = Map(size);
            var (runs, rewritten) = Index(size);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{size,14:N0} {pages,11:N0} {read,6:N0} {bytes / Batch,9:N0} "
                + $"{liveBytes / 1e9,7:0.0} {live,11:N0} {runs,5} {rewritten,9:0.0} {(double)size * RowsOfEntry * RowSize / 1e9,8:0.0} "
                + $"{size * 32 * 16 / 15 / 1e9,8:0.0} {Files(size),11:N0} {kept * KeptPage / 1e6,7:0.0}"));
        }

        return 0;
    }

    /// <summary>Counts the pages that a batch changes, those of them that are read from the file, the bytes it writes; the pages of the
    /// whole map, and their bytes; and the pages that stay in memory.</summary>
    private static (double Pages, double Read, double Bytes, double Live, double LiveBytes, double Kept) Map(long size)
    {
        var (pages, read, bytes, live, liveBytes, kept) = (0.0, 0.0, 0.0, 0.0, (double)LeafSlot * size, 0.0);
        for (var level = 0; level < Levels; level++)
        {
            var beginnings = Math.Pow(Slots, level);
            var (before, share) = (Shared(size / beginnings), size / beginnings / Slots);
            var perPage = Masks + (Slots * ((PageSlot * Shared(share)) + (LeafSlot * share * Math.Exp(-share))));
            var changed = (beginnings * (1 - Math.Exp(-Batch / beginnings))) - (Batch * Math.Exp(-size / beginnings));
            pages += Math.Max(changed, 0);
            bytes += Math.Max(changed, 0) * perPage;
            live += beginnings * before;
            liveBytes += beginnings * before * (Masks + PageSlot);
            if (level < KeptLevels)
            {
                kept += beginnings * before;
            }
            else
            {
                read += Math.Max(changed, 0) * before;
            }
        }

        return (pages, read, bytes, live, liveBytes, kept);
    }

    /// <summary>The chance that at least two of so many entries on average share a beginning.</summary>
    private static double Shared(double mean) => mean < 1e-6 ? mean * mean / 2 : 1 - (Math.Exp(-mean) * (1 + mean));

    /// <summary>Merges runs until the log has so many entries; gives the most runs there ever were, and how often a row was
    /// written.</summary>
    private static (int Runs, double Rewritten) Index(long size)
    {
        var (runs, most, written) = (new List<long>(), 0, 0L);
        for (long rows = 0; rows < size * RowsOfEntry; rows += RunRows)
        {
            runs.Add(RunRows);
            written += RunRows;
            var (sum, count) = (runs[^1], 1);
            while (count < runs.Count && runs[^(count + 1)] <= Ratio * sum)
            {
                sum += runs[^++count];
            }

            if (count > 1)
            {
                runs.RemoveRange(runs.Count - count, count);
                runs.Add(sum);
                written += sum;
            }

            most = Math.Max(most, runs.Count);
        }

        return (most, (double)written / (size * RowsOfEntry));
    }

    /// <summary>Counts the files of an export: tiles of 256 hashes on each level, and as many bundles of entries and of values as there are
    /// tiles of leaves.</summary>
    private static long Files(long size)
    {
        var files = 2 * (size / 256);
        for (var count = size; count >= 256; count /= 256)
        {
            files += count / 256;
        }

        return files;
    }
}
