using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Drops old versions of the map, and deletes the pages that only they need.</summary>
/// <remarks>First it drops versions, and lists their pages. Then it deletes those by number, which is their order in the file. So SQLite
/// writes or frees each block of the file once, and not once for each version.</remarks>
internal sealed class MapGarbage(SqliteConnection connection, GarbageSteps steps) : IDisposable
{
    /// <summary>How many times as many numbers as pages a transaction may pass: after a start, pages that are gone are in the lists,
    /// too.</summary>
    private const int Passed = 10;

    private readonly Statement _versions = new(
        connection, $"SELECT head, signed_at FROM map ORDER BY head LIMIT {steps.Versions} OFFSET 1");
    private readonly Statement _list = new(connection,
        "INSERT INTO map_garbage SELECT head, replaced FROM map WHERE head > (SELECT min(head) FROM map) AND head <= $1");
    private readonly Statement _drop = new(connection, "DELETE FROM map WHERE head < $1");
    private readonly Statement _count = new(connection, "SELECT coalesce(sum(length(pages)) / 8, 0) FROM map_garbage");
    private readonly Statement _lists = new(connection, "SELECT pages FROM map_garbage");
    private readonly Statement _delete = new(connection, "DELETE FROM map_page WHERE number BETWEEN $1 AND $2");
    private readonly Statement _clear = new(
        connection, $"DELETE FROM map_garbage WHERE head IN (SELECT head FROM map_garbage LIMIT {steps.Versions})");

    private List<long>? _numbers; // the next pages to delete, ascending; null before the lists are read
    private int _next; // which of those is the next
    private long? _later; // the smallest number after those; null when there is none
    private (List<long>?, int, long?) _before; // these before the last step

    /// <summary>Whether there is something to reclaim.</summary>
    /// <param name="limit">Versions superseded by a head signed then or before are dropped; Unix milliseconds.</param>
    /// <param name="visible">Head whose version, and all later ones, are kept in any case.</param>
    public bool HasAny(long limit, long visible) => Expired(limit, visible).Any() || _lists.First(_ => true);

    /// <summary>Takes one step: drops versions, or deletes pages.</summary>
    public void Reclaim(long limit, long visible)
    {
        _before = (_numbers, _next, _later);
        if (_numbers is null && Drop(limit, visible) < steps.Versions)
        {
            Read(0);
        }

        if (_numbers is not null)
        {
            DeleteSome();
        }
    }

    /// <summary>Takes back the last step, whose transaction has failed.</summary>
    public void Undo() => (_numbers, _next, _later) = _before;

    public void Dispose()
    {
        foreach (var statement in new[] { _versions, _list, _drop, _count, _lists, _delete, _clear })
        {
            statement.Dispose();
        }
    }

    /// <summary>Returns, in order, the heads whose previous version has expired.</summary>
    private IEnumerable<long> Expired(long limit, long visible) => _versions.Stream(row => (Head: row.Number(0), SignedAt: row.Number(1)))
        .TakeWhile(next => next.Head <= visible && next.SignedAt <= limit).Select(next => next.Head);

    /// <summary>Drops versions, and lists their pages. Returns how many were dropped.</summary>
    private int Drop(long limit, long visible)
    {
        var heads = _count.First(row => row.Number(0)) < steps.Listed ? Expired(limit, visible).ToList() : [];
        if (heads is [.., var oldest])
        {
            _list.Run(oldest);
            _drop.Run(oldest);
        }

        return heads.Count;
    }

    /// <summary>Reads the smallest numbers of listed pages from <paramref name="first"/> on.</summary>
    private void Read(long first)
    {
        var (numbers, end) = (new List<long>(), long.MaxValue);
        (_later, _next) = (null, 0);
        foreach (var list in _lists.Stream(row => KeptMap.NumbersOf(row.Bytes(0))))
        {
            var (from, to) = (PlaceOf(first), PlaceOf(end));
            numbers.AddRange(list.AsSpan()[from..to]);
            _later = to < list.Length && !(_later < list[to]) ? list[to] : _later;
            if (numbers.Count >= 2 * steps.InMemory)
            {
                numbers.Sort();
                _later = end = numbers[steps.InMemory];
                numbers.RemoveRange(steps.InMemory, numbers.Count - steps.InMemory);
            }

            int PlaceOf(long number) => Array.BinarySearch(list, number) is var place && place < 0 ? ~place : place;
        }

        numbers.Sort();
        _numbers = numbers;
    }

    /// <summary>Deletes some of the pages; after the last, some of the lists.</summary>
    private void DeleteSome()
    {
        var (count, end) = (0, Math.Min(_numbers!.Count, _next + (steps.Pages * Passed)));
        while (count < steps.Pages && _next < end)
        {
            count += DeleteRun(end);
        }

        if (_next == _numbers.Count && _later is { } later)
        {
            Read(later);
        }
        else if (_next == _numbers.Count && _clear.Run() < steps.Versions)
        {
            _numbers = null;
        }
    }

    /// <summary>Deletes the next pages whose numbers follow each other. Returns how many there were.</summary>
    private int DeleteRun(int end)
    {
        var first = _next++;
        while (_next < end && _next - first < steps.Pages && _numbers![_next] == _numbers[_next - 1] + 1)
        {
            _next++;
        }

        return _delete.Run(_numbers![first], _numbers[_next - 1]);
    }
}

/// <summary>How much <see cref="MapGarbage"/> does at once.</summary>
/// <param name="Versions">Maximum number of versions dropped in one transaction.</param>
/// <param name="Pages">Number of pages from which a transaction deletes no more; at most twice as many go.</param>
/// <param name="Listed">Number of listed pages from which no more versions are dropped until those are deleted.</param>
/// <param name="InMemory">Number of pages read from the lists at once; up to twice as many are in memory.</param>
internal sealed record GarbageSteps(int Versions, int Pages, int Listed, int InMemory)
{
    /// <summary>Lists of some 512 MB, of which up to 4 MB are in memory.</summary>
    public static GarbageSteps Default { get; } = new(500, 10_000, 1 << 26, 1 << 18);
}
