using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Returns unused space in a log's file to the disk.</summary>
internal sealed class FreeSpace(SqliteConnection connection) : IDisposable
{
    /// <summary>Up to one page in this many may stay free for the next batches.</summary>
    private const int Share = 8;

    /// <summary>Number of pages that may stay free in any case: 1 MB.</summary>
    private const int AlwaysFree = 256;

    /// <summary>Maximum number of free pages: 128 MB. SQLite searches the whole list of them for each page that it gives
    /// back.</summary>
    private const int MostFree = 32_768;

    private const int PagesAtOnce = 2000;

    private readonly Statement _free = new(connection, "PRAGMA freelist_count"), _all = new(connection, "PRAGMA page_count");
    private readonly Statement _vacuum = new(connection, $"PRAGMA incremental_vacuum({PagesAtOnce})"),
        _checkpoint = new(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    private long _changes, _checkpointedAt;

    /// <summary>Shrinks the file by a step if much of it is free. Returns whether it was.</summary>
    public bool Shrink()
    {
        var isMuch = _free.First(row => row.Number(0)) > Math.Clamp(_all.First(row => row.Number(0)) / Share, AlwaysFree, MostFree);
        if (isMuch)
        {
            _vacuum.Run();
        }

        return isMuch;
    }

    /// <summary>Empties the write-ahead log if nothing was written since the last call; reusing it until then is cheaper.</summary>
    public void Rest()
    {
        var changes = SQLitePCL.raw.sqlite3_total_changes(connection.Handle!);
        if (changes == _changes && changes != _checkpointedAt)
        {
            var isBusy = _checkpoint.First(row => row.Number(0)) is not 0;
            _checkpointedAt = isBusy ? _checkpointedAt : changes;
        }

        _changes = changes;
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _free, _all, _vacuum, _checkpoint })
        {
            statement.Dispose();
        }
    }
}
