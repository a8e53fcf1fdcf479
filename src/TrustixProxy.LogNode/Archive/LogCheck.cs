using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Recomputes a log's file from its leaves and reports every difference: <c>log fsck</c>.</summary>
/// <remarks>Checks every entry's place, digest and index rows; every stored hash of both trees; every head's signature, sizes and three
/// roots, in the order of signing. Checks every page of every kept map version, and the rows that find and expire versions; every
/// conflict's digest and signature. Reads a snapshot of the file, so a node may keep writing.</remarks>
public sealed class LogCheck
{
    /// <summary>Maximum number of reported faults: beyond it the file is broken.</summary>
    public const int MaxFaults = 100;

    private readonly LogReader _reader;
    private readonly LogKey _key;
    private readonly List<string> _faults = [];
    private readonly Dictionary<long, MapPage> _pages = [];
    private readonly Dictionary<long, KeptMap> _kept;
    private readonly long _oldest;
    private readonly Dictionary<long, Digest> _history = [];
    private readonly TileFrontier _log = new(0, (_, _) => null), _mapHeads = new(0, (_, _) => null);

    private long _map;

    private LogCheck(LogReader reader, LogKey key)
    {
        (_reader, _key) = (reader, key);
        _kept = reader.KeptMaps().ToDictionary(map => map.Head);
        _oldest = _kept.Keys.DefaultIfEmpty().Min();
    }

    /// <summary>Checks a log's file.</summary>
    /// <param name="key">The log's public key.</param>
    /// <param name="progress">Receives the checked share of the heads now and then: up to 1.</param>
    /// <returns>The number of entries and heads, and the faults: none in a good log.</returns>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is not a log's.</exception>
    public static (long Entries, long Heads, IReadOnlyList<string> Faults) Run(string path, LogKey key, Action<double>? progress = null)
    {
        using var database = LogDatabase.OpenToRead(path);
        return database.Read(reader =>
        {
            var check = new LogCheck(reader, key);
            check.Replay(progress ?? (_ => { }), (double)reader.NewestHead().MHTreeSize);
            check.CheckPages();
            check.CheckTiles(Tree.Log, check._log);
            check.CheckTiles(Tree.MapHeads, check._mapHeads);
            check.CheckCounts();
            check.CheckConflicts();
            return (check._log.Size, check._mapHeads.Size, check._faults);
        });
    }

    /// <summary>Rebuilds the log, head by head.</summary>
    private void Replay(Action<double> progress, double heads)
    {
        foreach (var (number, bytes) in _reader.AllHeads())
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
            }
            else
            {
                CheckHead(where, head.Content);
                progress(_mapHeads.Size / heads);
            }
        }
    }

    private void CheckHead(string where, TreeHead head)
    {
        var map = new SparseMerkleMap(number => _pages[number], _map);
        foreach (var (index, entry) in _reader.AllEntries(_log.Size, head.TreeSize))
        {
            CheckEntry(index, entry);
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

        var mapRoot = map.Commit(_map + 1, out var changed, out var replaced);
        CheckMap(mapRoot, changed, replaced);
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

    private void CheckEntry(long index, Entry entry)
    {
        if (index != _log.Size)
        {
            Fault($"entry {_log.Size} is missing: entry {index} follows");
        }

        if (index < _reader.IndexedSize() && EntryIndex.PrefixesOf(entry).Any(prefix => !_reader.IsFiled(prefix, index)))
        {
            Fault($"entry {index} is not indexed under its lookup digests");
        }
    }

    /// <summary>Advances to the next map version, and compares what is stored of the previous one; that may be gone.</summary>
    private void CheckMap(Digest mapRoot, IReadOnlyList<KeyValuePair<long, MapPage>> changed, IReadOnlyList<long> replaced)
    {
        var head = _mapHeads.Size + 1;
        _map = changed is [.., var (root, _)] ? root : _map;
        var fault = !_kept.Remove(head, out var kept) ? head > _oldest ? "is missing" : null
            : kept.Root != _map || !kept.Replaced.SequenceEqual(replaced.Order()) ? "has pages that do not match the entries"
            : kept.Prefix != IndexRow.PrefixOf(mapRoot) || !kept.IsTimedAsHead ? "is indexed under a map root or time other than the head's"
            : null;
        if (fault is not null)
        {
            Fault($"the map of head {head} {fault}");
        }

        foreach (var number in replaced)
        {
            _pages.Remove(number, out var old);
            if (head > _oldest)
            {
                _history.Add(number, Digest.Of(old!.ToBytes()));
            }
        }

        foreach (var (number, page) in changed)
        {
            _pages.Add(number, page);
        }
    }

    private void CheckPages()
    {
        var expected = _pages.ToDictionary(entry => entry.Key, entry => Digest.Of(entry.Value.ToBytes()));
        foreach (var (number, hash) in _history)
        {
            expected.Add(number, hash);
        }

        foreach (var (number, page) in _reader.AllPages())
        {
            if (!expected.Remove(number, out var computed))
            {
                Fault($"map page {number} belongs to no stored map");
            }
            else if (computed != Digest.Of(page))
            {
                Fault($"map page {number} holds leaves that do not match the entries");
            }
        }

        foreach (var number in expected.Keys.Order())
        {
            Fault($"map page {number} is missing");
        }
    }

    private void CheckTiles(Tree tree, TileFrontier computed)
    {
        var expected = computed.TakeChanges().ToDictionary(change => change.Tile, change => change.Hashes);
        foreach (var ((level, index), hashes) in expected)
        {
            if (!hashes.AsSpan().SequenceEqual(_reader.FindTile(tree, level, index)))
            {
                Fault($"tile {level}/{index} of the {tree} tree does not match the leaves");
            }
        }
    }

    private void CheckCounts()
    {
        foreach (var head in _kept.Keys)
        {
            Fault($"the map of head {head} belongs to no stored head");
        }

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
}
