using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Makes spool jobs of what Guix's daemon builds, as a post-build hook does for Nix: Guix has no such hook.</summary>
/// <param name="store">The machine's store.</param>
/// <param name="spool">The spool.</param>
/// <remarks>A registered path was built here when its build log was closed just before. A log justifies one registration of each output:
/// a path that is collected and substituted soon after its build is left out. Builds before the first start are not published.</remarks>
internal sealed class GuixBuilds(GuixStore store, string spool, ILogger logger)
{
    /// <summary>Maximum number of rows read at a time.</summary>
    private const int MaxRows = 1000;

    /// <summary>How long it is remembered that a log has justified a registration: longer than a log can justify one.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromHours(1);

    /// <summary>Reads new rows, and queues what was built.</summary>
    /// <returns>Number of queued jobs.</returns>
    /// <exception cref="NixException">The database cannot be read.</exception>
    /// <exception cref="IOException">The spool is full, or cannot be written to.</exception>
    public int Poll()
    {
        using var database = GuixDatabase.Open(store.State);
        var last = database.LastId();
        if (GuixCursor.Read(spool) is not { } cursor)
        {
            new GuixCursor(last, new Dictionary<StorePath, DateTimeOffset>()).Write(spool);
            return 0;
        }

        if (cursor.Id > last)
        {
            cursor = cursor with { Id = last }; // the newest rows were collected, or the database is another one
            cursor.Write(spool);
        }
        var jobs = 0;
        while (database.RegisteredAfter(cursor.Id, MaxRows) is { Count: > 0 } ids)
        {
            var used = cursor.Used.ToDictionary();
            foreach (var id in ids)
            {
                jobs += TryQueue(database, id, used) ? 1 : 0;
            }

            cursor = new GuixCursor(ids[^1], used);
            cursor.Write(spool);
        }

        return jobs;
    }

    /// <summary>Queues a row that was built here; false for others. One that cannot be understood is left out, and does not hold up
    /// the next.</summary>
    private bool TryQueue(GuixDatabase database, long id, Dictionary<StorePath, DateTimeOffset> used)
    {
        try
        {
            if (database.Row(id) is not { } row || !Justifies(row, used))
            {
                return false;
            }

            Spool.Queue(spool, $"guix-{row.Id}-{row.Deriver!.Digest}", row.Deriver, [store.Describe(database, row)]);
            return true;
        }
        catch (GuixRowException exception)
        {
            logger.GuixRowLeftOut(exception.Message);
            return false;
        }
    }

    private bool Justifies(GuixPath row, Dictionary<StorePath, DateTimeOffset> used)
    {
        foreach (var old in used.Where(use => use.Value + Memory <= row.RegisteredAt).Select(use => use.Key).ToList())
        {
            used.Remove(old);
        }

        if (GuixBuildLog.Of(row, store.State) is not { } log || !log.Explains(row)
            || (used.TryGetValue(row.Path, out var before) && before >= log.ClosedAt))
        {
            return false;
        }

        used[row.Path] = log.ClosedAt;
        return true;
    }
}
