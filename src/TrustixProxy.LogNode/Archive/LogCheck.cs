using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Recomputes a log's file from its leaves and reports every difference: <c>log fsck</c>.</summary>
/// <remarks>Checks every entry's place, digest and index rows; every stored hash of both trees; every head's signature, sizes and three
/// roots, in the order of signing. Checks every page of every kept map version, and the rows that find and expire versions; every
/// conflict's digest and signature. Reads a snapshot of the file, so a node may keep writing. Takes the same memory for any size.</remarks>
public sealed class LogCheck
{
    /// <summary>Maximum number of reported faults: beyond it the file is broken.</summary>
    public const int MaxFaults = 100;

    /// <summary>Number of map pages in memory from which on they go into a file beside the log's: about 20 MB.</summary>
    private const int MostPages = 20_000;

    /// <summary>The share of the work that rebuilding the log is; the rest is the index.</summary>
    private const double ShareOfHeads = 0.9;

    private readonly LogReader _reader;
    private readonly LogKey _key;
    private readonly CheckScratch _scratch;
    private readonly List<string> _faults = [];
    private readonly List<string> _pageFaults = []; // told after the others: one wrong entry may give many
    private readonly long _oldest;
    private readonly TileFrontier _log, _mapHeads;
    private readonly IEnumerator<(long Number, byte[] Page)> _pages;
    private readonly IEnumerator<KeptMap> _kept;
    private readonly IEnumerator<(long Head, byte[] Pages)> _garbage;
    private bool _hasPage, _hasKept, _hasGarbage;
    private long _map;

    private LogCheck(LogReader reader, LogKey key, CheckScratch scratch, CheckedPart part)
    {
        (_reader, _key, _scratch, _map) = (reader, key, scratch, part.Map);
        _oldest = reader.OldestMap();
        _log = new TileFrontier(part.Size, (level, _) => scratch.FindEdge(Tree.Log, level));
        _mapHeads = new TileFrontier(part.Heads, (level, _) => scratch.FindEdge(Tree.MapHeads, level));
        (_pages, _kept) = (reader.PagesAfter(part.Map).GetEnumerator(), reader.KeptMapsAfter(part.Heads).GetEnumerator());
        _garbage = reader.Garbage().GetEnumerator();
        (_hasPage, _hasKept, _hasGarbage) = (_pages.MoveNext(), _kept.MoveNext(), _garbage.MoveNext());
        CheckEarlierGarbage(part.Heads);
    }

    /// <summary>Checks a log's file. A check of a large log that was ended goes on where it was.</summary>
    /// <param name="key">The log's public key.</param>
    /// <param name="progress">Receives the checked share now and then: up to 1.</param>
    /// <param name="resumed">Receives the number of entries that an earlier check has checked, if it was ended.</param>
    /// <returns>The number of entries and heads, and the faults: none in a good log.</returns>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is not a log's.</exception>
    /// <exception cref="IOException">Another check is at work.</exception>
    public static (long Entries, long Heads, IReadOnlyList<string> Faults) Run(
        string path, LogKey key, Action<double>? progress = null, Action<long>? resumed = null) =>
        Run(path, key, progress, resumed, MostPages);

    /// <param name="mostPages">Number of map pages in memory from which on they are written to a file.</param>
    internal static (long Entries, long Heads, IReadOnlyList<string> Faults) Run(
        string path, LogKey key, Action<double>? progress, Action<long>? resumed, int mostPages)
    {
        using var database = LogDatabase.OpenToRead(path);
        using var scratch = new CheckScratch(path + ".fsck", key, mostPages);
        return database.Read(reader =>
        {
            var check = Begin(reader, key, scratch, resumed);
            using (check._pages)
            using (check._kept)
            using (check._garbage)
            {
                check.Replay(progress ?? (_ => { }), (double)reader.NewestHead().MHTreeSize);
                check.CheckEnd();
            }

            check._pageFaults.ForEach(check.Fault);
            check._faults.AddRange(new IndexCheck(reader).Run(
                MaxFaults - check._faults.Count, share => progress?.Invoke(ShareOfHeads + ((1 - ShareOfHeads) * share))));
            check.CheckCounts();
            check.CheckConflicts();
            scratch.Discard();
            progress?.Invoke(1);
            return (check._log.Size, check._mapHeads.Size, check._faults);
        });
    }

    /// <summary>Goes on with an earlier check, if it was of this log; otherwise begins anew.</summary>
    private static LogCheck Begin(LogReader reader, LogKey key, CheckScratch scratch, Action<long>? resumed)
    {
        if (scratch.Resume() is not { } part || !reader.HeadsAfter(part.Heads - 1).Select(head => head.Head).FirstOrDefault([])
            .AsSpan().SequenceEqual(part.Head))
        {
            scratch.Discard();
            return new LogCheck(reader, key, scratch, new CheckedPart(0, 0, 0, []));
        }

        var check = new LogCheck(reader, key, scratch, part);
        scratch.Compare(reader.PagesAfter(0), check.Differs);
        resumed?.Invoke(part.Size);
        return check;
    }

    /// <summary>Rebuilds the log, head by head.</summary>
    private void Replay(Action<double> progress, double heads)
    {
        foreach (var (number, bytes) in _reader.HeadsAfter(_mapHeads.Size))
        {
            if (_faults.Count >= MaxFaults)
            {
                return;
            }

            var where = $"head {_mapHeads.Size + 1}";
            if (number != _mapHeads.Size + 1)
            {
                Fault($"{where} is missing: head {number} follows");
            }

            if (!SignedTreeHead.TryRead(LogHead.Parser.ParseFrom(bytes), out var head, out var error)
                || !_key.TryVerify(head, out _, out error))
            {
                Fault($"{where}: {error} is wrong");
                continue;
            }

            CheckHead(where, head.Content);
            CheckTiles(Tree.Log, _log);
            CheckTiles(Tree.MapHeads, _mapHeads);
            progress(ShareOfHeads * _mapHeads.Size / heads);
            if (_scratch.IsFull)
            {
                _scratch.Save(_faults.Count + _pageFaults.Count > 0 ? null : new CheckedPart(_mapHeads.Size, _log.Size, _map, bytes));
            }
        }
    }

    private void CheckHead(string where, TreeHead head)
    {
        var map = new SparseMerkleMap(_scratch.Load, _map);
        foreach (var (index, entry) in _reader.AllEntries(_log.Size, head.TreeSize))
        {
            CheckEntry(index);
            var mapEntry = new MapEntry(entry.ValueDigest, _log.Size);
            var leaf = new MapLeaf(Digest.Of(entry.Key), Digest.Of(mapEntry.ToBytes()), _log.Size);
            if (map.TryFind(leaf.Path, out var first))
            {
                Fault($"entry {index} has the key of entry {first.Index}");
            }
            else
            {
                map.Insert(leaf);
            }

            _log.Append(MerkleHash.LogLeaf(entry.Key, entry.ValueDigest));
        }

        var changed = map.Commit(_map + 1).ToList();
        var mapRoot = map.RootHash();
        CheckMap(mapRoot, changed, map.Replaced);
        _mapHeads.Append(MerkleHash.MapHeadLeaf(mapRoot));
        var computed = new TreeHead(_log.Root(), _log.Size, mapRoot, _mapHeads.Root(), _mapHeads.Size);
        foreach (var (what, said, is_) in new (string, object, object)[]
                 {
                     ("log root", head.LogRoot, computed.LogRoot), ("tree size", head.TreeSize, computed.TreeSize),
                         ("map root", head.MapRoot, computed.MapRoot),
                     ("map-head root", head.MapHeadRoot, computed.MapHeadRoot), ("map-head size", head.MapHeadSize, computed.MapHeadSize),
                 })
        {
            if (!said.Equals(is_))
            {
                Fault($"{where} says the {what} is {said}, but the entries give {is_}");
            }
        }
    }

    private void CheckEntry(long index)
    {
        if (index != _log.Size)
        {
            Fault($"entry {_log.Size} is missing: entry {index} follows");
        }
    }

    /// <summary>Advances to the next map version, and compares what is stored of it and of the previous one; that may be gone.</summary>
    private void CheckMap(Digest mapRoot, IReadOnlyList<KeyValuePair<long, MapPage>> changed, IReadOnlyList<long> replaced)
    {
        var head = _mapHeads.Size + 1;
        _map = changed is [.., var (root, _)] ? root : _map;
        var isKept = TakeKept(head, out var kept);
        var fault = !isKept ? head > _oldest ? "is missing" : null
            : kept.Root != _map || !kept.Replaced.SequenceEqual(replaced.Order()) ? "has pages that do not match the entries"
            : kept.Prefix != IndexRow.PrefixOf(mapRoot) || !kept.IsTimedAsHead ? "is indexed under a map root or time other than the head's"
            : null;
        if (fault is not null)
        {
            Fault($"the map of head {head} {fault}");
        }

        var isListed = TakeGarbage(head, replaced);
        foreach (var number in replaced)
        {
            if (_scratch.Remove(number) != head > _oldest && !isListed)
            {
                PageFault(head > _oldest ? $"map page {number} is missing" : $"map page {number} belongs to no stored map");
            }
        }

        foreach (var (number, page) in changed)
        {
            _scratch.Add(number, page, IsStored(number, page));
        }
    }

    /// <summary>Whether the file holds a page; compares it.</summary>
    private bool IsStored(long number, MapPage page)
    {
        for (; _hasPage && _pages.Current.Number < number; _hasPage = _pages.MoveNext())
        {
            PageFault($"map page {_pages.Current.Number} belongs to no stored map");
        }

        if (!_hasPage || _pages.Current.Number != number)
        {
            return false;
        }

        if (!page.ToBytes().AsSpan().SequenceEqual(_pages.Current.Page))
        {
            Differs(number);
        }

        _hasPage = _pages.MoveNext();
        return true;
    }

    private void Differs(long number) => PageFault($"map page {number} holds leaves that do not match the entries");

    private bool TakeKept(long head, out KeptMap kept)
    {
        for (; _hasKept && _kept.Current.Head < head; _hasKept = _kept.MoveNext())
        {
            Fault($"the map of head {_kept.Current.Head} belongs to no stored head");
        }

        kept = _hasKept && _kept.Current.Head == head ? _kept.Current : default;
        _hasKept = kept.Head == head ? _kept.MoveNext() : _hasKept;
        return kept.Head == head;
    }

    /// <summary>Checks the lists of heads that are not checked again: no page that the newest of those needs may be in one.</summary>
    private void CheckEarlierGarbage(long heads)
    {
        for (; _hasGarbage && _garbage.Current.Head <= heads; _hasGarbage = _garbage.MoveNext())
        {
            if (_garbage.Current.Head < 1 || KeptMap.NumbersOf(_garbage.Current.Pages).Any(_scratch.Holds))
            {
                Fault($"the list of pages to delete for head {_garbage.Current.Head} has pages that a stored map needs");
            }
        }
    }

    /// <summary>Whether the pages that a head replaced wait to be deleted: each is stored or not. Compares the list.</summary>
    private bool TakeGarbage(long head, IReadOnlyList<long> replaced)
    {
        if (!_hasGarbage || _garbage.Current.Head != head)
        {
            return false;
        }

        if (head > _oldest)
        {
            Fault($"the list of pages to delete for head {head} has pages that a stored map needs");
        }
        else if (!_garbage.Current.Pages.AsSpan().SequenceEqual(MapVersions.Bytes(replaced)))
        {
            Fault($"the list of pages to delete for head {head} does not match the entries");
        }

        _hasGarbage = _garbage.MoveNext();
        return true;
    }

    /// <summary>Compares full tiles; partial ones have grown since.</summary>
    private void CheckTiles(Tree tree, TileFrontier computed)
    {
        foreach (var ((level, index), hashes) in computed.TakeChanges())
        {
            if (hashes.Length < TileFrontier.Width * Digest.Size)
            {
                _scratch.SetEdge(tree, level, hashes);
            }
            else
            {
                CheckTile(tree, level, index, hashes);
            }
        }
    }

    private void CheckTile(Tree tree, int level, long index, byte[] hashes)
    {
        if (!hashes.AsSpan().SequenceEqual(_reader.FindTile(tree, level, index)))
        {
            Fault($"tile {level}/{index} of the {tree} tree does not match the leaves");
        }
    }

    /// <summary>Compares what belongs to the newest head: partial tiles, and the newest map's pages.</summary>
    private void CheckEnd()
    {
        foreach (var (tree, size) in new[] { (Tree.Log, _log.Size), (Tree.MapHeads, _mapHeads.Size) })
        {
            for (var (level, count) = (0, size); count > 0; level++, count /= TileFrontier.Width)
            {
                if (count % TileFrontier.Width > 0 && _scratch.FindEdge(tree, level) is { } hashes)
                {
                    CheckTile(tree, level, count / TileFrontier.Width, hashes);
                }
            }
        }

        foreach (var number in _scratch.Missing())
        {
            PageFault($"map page {number} is missing");
        }

        for (; _hasPage && _pageFaults.Count < MaxFaults; _hasPage = _pages.MoveNext())
        {
            PageFault($"map page {_pages.Current.Number} belongs to no stored map");
        }

        for (; _hasKept && _faults.Count < MaxFaults; _hasKept = _kept.MoveNext())
        {
            Fault($"the map of head {_kept.Current.Head} belongs to no stored head");
        }

        if (_hasGarbage)
        {
            Fault($"the list of pages to delete for head {_garbage.Current.Head} belongs to no stored head");
        }
    }

    private void CheckCounts()
    {
        if (_reader.Count("entry") is var stored && stored != _log.Size && _faults.Count < MaxFaults)
        {
            Fault($"the file holds {stored} entries, and the heads cover {_log.Size}");
        }
    }

    private void CheckConflicts()
    {
        foreach (var (i, (digest, value)) in _reader.AllConflictRows().Index())
        {
            if (!digest.AsSpan().SequenceEqual(Digest.Of(value).ToArray()))
            {
                Fault($"conflict {i} is indexed under a digest other than its value's");
            }
        }

        const int page = 100;
        long seen = 0;
        for (; _reader.FindConflicts(seen, page) is { Count: > 0 } conflicts; seen += conflicts.Count)
        {
            foreach (var (i, conflict) in conflicts.Index())
            {
                var isNumber = WireNumber.TryRead(conflict.Index, out long index) & WireNumber.TryRead(conflict.SeenAt, out long seenAt);
                var record = new ConflictRecord(
                    conflict.Key.ToByteArray(), index, new Digest(conflict.ValueDigest.Span), Digest.Of(conflict.OtherValue.Span), seenAt);
                if (!isNumber || !_key.Verify(record, conflict.Signature.Span))
                {
                    Fault($"conflict {seen + i}, with entry {conflict.Index}: its signature is not the log's");
                }
            }
        }

        if (seen != _reader.Count("conflict"))
        {
            Fault($"the file holds {_reader.Count("conflict")} conflicts, {seen} of which are with an entry that is there");
        }
    }

    private void Fault(string fault)
    {
        if (_faults.Count < MaxFaults)
        {
            _faults.Add(fault);
        }
    }

    private void PageFault(string fault)
    {
        if (_pageFaults.Count < MaxFaults)
        {
            _pageFaults.Add(fault);
        }
    }
}
