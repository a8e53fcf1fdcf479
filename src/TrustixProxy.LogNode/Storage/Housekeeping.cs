namespace TrustixProxy.LogNode.Storage;

/// <summary>What keeps a log's file small and quick to read, in steps between the batches.</summary>
/// <param name="transactions">Those of the writing connection.</param>
/// <param name="index">The index of the log.</param>
/// <param name="steps">How much is reclaimed at once.</param>
/// <param name="reached">Called in each transaction that reclaims; for tests that kill the process there.</param>
internal sealed class Housekeeping(Transactions transactions, EntryIndex index, GarbageSteps steps, Action reached) : IDisposable
{
    private readonly MapGarbage _garbage = new(transactions.Connection, steps);
    private readonly FreeSpace _space = new(transactions.Connection);

    /// <summary>Takes one step: gives back free space, drops old versions of the map, deletes their pages, or merges runs of the index.
    /// Returns whether more may remain.</summary>
    /// <param name="limit">Versions superseded by a head signed then or before are dropped; Unix milliseconds.</param>
    /// <param name="visible">Head whose version, and all later ones, are kept in any case.</param>
    /// <param name="isQuiet">Whether little is submitted at present: only then are runs merged that a busy log leaves.</param>
    public bool Step(long limit, long visible, bool isQuiet)
    {
        if (_space.Shrink())
        {
            return true;
        }

        if (_garbage.HasAny(limit, visible))
        {
            Run(() => _garbage.Reclaim(limit, visible), _garbage.Undo);
            return true;
        }

        _space.Rest();
        if (!isQuiet || !index.HasQuietWork)
        {
            return false;
        }

        Run(index.MergeQuietly, index.Discard);
        return true;
    }

    public void Dispose()
    {
        _garbage.Dispose();
        _space.Dispose();
    }

    private void Run(Action step, Action undo)
    {
        try
        {
            transactions.Run(() =>
            {
                step();
                reached();
            });
        }
        catch
        {
            undo();
            throw;
        }
    }
}
