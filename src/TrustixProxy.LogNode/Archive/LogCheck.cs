using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Recomputes all that a log's file holds from its leaves, and says what does not follow from them: <c>log fsck</c>.</summary>
/// <remarks>
/// Checked: every entry's place, digest and row by which it is found; every stored hash of both trees; every head's signature, sizes and three roots, in the order
/// in which they were signed, and what they are found and their history is dropped by; every page of the map, current and in history; every conflict's digest and signature. The file is read as it was at one moment, so a node may go on writing.
/// </remarks>
public sealed class LogCheck
{
    /// <summary>After so many faults the rest is not told: the file is broken.</summary>
    public const int MaxFaults = 100;

    private readonly LogReader _reader;
    private readonly LogKey _key;
    private readonly List<string> _faults = [];
    private readonly Dictionary<MapPageAddress, (MapPage Page, long Version)> _map = [];
    private readonly TileFrontier _log = new(0, (_, _) => null), _mapHeads = new(0, (_, _) => null);

    private LogCheck(LogReader reader, LogKey key) => (_reader, _key) = (reader, key);

    /// <summary>Checks a log's file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">The log's public key.</param>
    /// <param name="progress">Told of how many entries were checked, now and then.</param>
    /// <returns>How many entries and heads there are, and what is wrong: nothing in a good log.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no log's file.</exception>
    public static (long Entries, long Heads, IReadOnlyList<string> Faults) Run(string path, LogKey key, Action<long>? progress = null)
    {
        using var database = LogDatabase.OpenToRead(path);
        return database.Read(reader =>
        {
            var check = new LogCheck(reader, key);
            check.Replay(progress ?? (_ => { }));
            check.CheckPages();
            check.CheckTiles(Tree.Log, check._log);
            check.CheckTiles(Tree.MapHeads, check._mapHeads);
            check.CheckCounts();
            check.CheckHeadRows();
            check.CheckConflicts();
            return (check._log.Size, check._mapHeads.Size, check._faults);
        });
    }

    /// <summary>Builds the log again, head by head.</summary>
    private void Replay(Action<long> progress)
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

            if (!SignedTreeHead.TryRead(LogHead.Parser.ParseFrom(bytes), out var head, out var error) || !_key.TryVerify(head, out _, out error))
            {
                Fault($"{where}: {error} is wrong");
            }
            else
            {
                CheckHead(where, head.Content);
                progress(_log.Size);
            }
        }
    }

    private void CheckHead(string where, TreeHead head)
    {
        var map = new SparseMerkleMap(address => _map.GetValueOrDefault(address).Page);
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

        var mapRoot = map.Commit(out var changed);
        CheckHistory(changed, head.TreeSize);
        _mapHeads.Append(MerkleHash.MapHeadLeaf(mapRoot));
        var computed = new TreeHead(_log.Root(), _log.Size, mapRoot, _mapHeads.Root(), _mapHeads.Size);
        foreach (var (what, said, is_) in new (string, object, object)[]
                 {
                     ("log root", head.LogRoot, computed.LogRoot), ("tree size", head.TreeSize, computed.TreeSize), ("map root", head.MapRoot, computed.MapRoot),
                     ("map-head root", head.MapHeadRoot, computed.MapHeadRoot), ("map-head size", head.MapHeadSize, computed.MapHeadSize),
                 })
        {
            if (!said.Equals(is_))
            {
                Fault($"{where} says the {what} is {said}, and the entries come to {is_}");
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
            Fault($"entry {index} is not filed under the digests by which it is looked for");
        }
    }

    /// <summary>Compares what a head's batch overwrote with what is kept of that; it may be gone.</summary>
    private void CheckHistory(IReadOnlyDictionary<MapPageAddress, MapPage> changed, long version)
    {
        var isKept = _reader.Count($"superseded WHERE version = {version}") is 1;
        foreach (var (address, page) in changed)
        {
            var key = address.ToBytes();
            var hasOld = _map.TryGetValue(address, out var old);
            var kept = _reader.FindHistory(version, key);
            if (kept is { } history ? !hasOld || !history.Page.AsSpan().SequenceEqual(old.Page.Encode()) || history.Version != old.Version : hasOld && isKept)
            {
                Fault($"map page {Convert.ToHexStringLower(key)}, as it was before size {version}, {(kept is null ? "is missing" : "holds other leaves than the entries come to")}");
            }

            _map[address] = (page, version);
        }
    }

    private void CheckPages()
    {
        var expected = _map.ToDictionary(entry => Convert.ToHexStringLower(entry.Key.ToBytes()), entry => entry.Value);
        foreach (var (address, page, version) in _reader.AllPages())
        {
            var name = Convert.ToHexStringLower(address);
            if (!expected.Remove(name, out var computed) || !page.AsSpan().SequenceEqual(computed.Page.Encode()) || version != computed.Version)
            {
                Fault($"map page {name} holds other leaves than the entries come to");
            }
        }

        foreach (var name in expected.Keys)
        {
            Fault($"map page {name} is missing");
        }
    }

    private void CheckTiles(Tree tree, TileFrontier computed)
    {
        var expected = computed.TakeChanges().ToDictionary(change => change.Tile, change => change.Hashes);
        foreach (var ((level, index), hashes) in expected)
        {
            if (!hashes.AsSpan().SequenceEqual(_reader.FindTile(tree, level, index)))
            {
                Fault($"tile {level}/{index} of the {tree} tree is not what the leaves come to");
            }
        }
    }

    private void CheckCounts()
    {
        if (_reader.Count("entry") is var stored && stored != _log.Size && _faults.Count < MaxFaults)
        {
            Fault($"the file holds {stored} entries, and the heads cover {_log.Size}");
        }
    }

    private void CheckHeadRows()
    {
        foreach (var (head, row) in _reader.AllHeads().Zip(_reader.AllHeadRows()))
        {
            var said = LogHead.Parser.ParseFrom(head.Head);
            if ((ulong)row.Size != said.TreeSize || !Digest.TryRead(said.MapRoot.Span, out var root) || row.RootPrefix != EntryIndex.Prefix(root))
            {
                Fault($"head {row.Number} is filed under another size or map root than its own");
            }
        }

        // Of the heads, the newest ones have a row each by which their history is dropped when its time has come.
        const string marked = "superseded AS s WHERE s.version = h.tree_size AND s.signed_at = h.signed_at";
        var unmarked = _reader.Count($"head AS h WHERE NOT EXISTS (SELECT 1 FROM {marked}) AND h.tree_size >= (SELECT ifnull(min(version), 9223372036854775807) FROM superseded)");
        var stray = _reader.Count("superseded AS s WHERE NOT EXISTS (SELECT 1 FROM head AS h WHERE s.version = h.tree_size AND s.signed_at = h.signed_at)");
        if (unmarked + stray > 0)
        {
            Fault($"{Math.Max(unmarked, stray)} heads are not marked, or wrongly, for when they were superseded");
        }
    }

    private void CheckConflicts()
    {
        foreach (var (i, (digest, value)) in _reader.AllConflictRows().Index())
        {
            if (!digest.AsSpan().SequenceEqual(Digest.Of(value).ToArray()))
            {
                Fault($"conflict {i} is filed under another digest than its value's");
            }
        }

        const int page = 100;
        long seen = 0;
        for (; _reader.FindConflicts(seen, page) is { Count: > 0 } conflicts; seen += conflicts.Count)
        {
            foreach (var (i, conflict) in conflicts.Index())
            {
                var record = new ConflictRecord(
                    conflict.Key.ToByteArray(), (long)conflict.Index, new Digest(conflict.ValueDigest.Span), Digest.Of(conflict.OtherValue.Span), (long)conflict.SeenAt);
                if (!_key.Verify(record, conflict.Signature.Span))
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
