using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Makes spool jobs of what Guix's daemon builds, as a post-build hook does for Nix: Guix has no such hook.</summary>
/// <param name="store">The machine's store.</param>
/// <param name="spool">The spool.</param>
/// <remarks>A registered path was built here when its build log was closed just before. A log justifies one registration of each output:
/// a path that is collected and substituted soon after its build is left out. Builds before the first start are not published.</remarks>
internal sealed class GuixBuilds(GuixStore store, string spool)
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
        while (database.RegisteredAfter(cursor.Id, MaxRows) is { Count: > 0 } rows)
        {
            var used = cursor.Used.Where(use => use.Value + Memory > rows[0].RegisteredAt).ToDictionary();
            foreach (var row in rows.Where(row => Justifies(row, used)))
            {
                Spool.Queue(spool, $"guix-{row.Id}-{row.Deriver!.Digest}", row.Deriver, [store.Describe(database, row)]);
                jobs++;
            }

            cursor = new GuixCursor(rows[^1].Id, used);
            cursor.Write(spool);
        }

        return jobs;
    }

    private bool Justifies(GuixPath row, Dictionary<StorePath, DateTimeOffset> used)
    {
        if (GuixBuildLog.Of(row, store.State) is not { } log || !log.Explains(row)
            || (used.TryGetValue(row.Path, out var before) && before >= log.ClosedAt))
        {
            return false;
        }

        used[row.Path] = log.ClosedAt;
        return true;
    }
}
