using System.Collections.Immutable;
using System.Text;
using Google.Protobuf;
using TrustixProxy.IO.Storage;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using Conflict = TrustixProxy.TransparencyLog.Wire.Conflict;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The only writer of a log's file. Completed calls are on disk; a batch and its head are one transaction.</summary>
internal sealed class LogWriter : IDisposable
{
    /// <summary>Maximum number of entries per head.</summary>
    public const int BatchSize = 500;

    private readonly LogSigner _signer;
    private readonly string? _origin;
    private readonly HeadNoteSigner? _notes;
    private readonly LogDatabase _database;
    private readonly TimeProvider _time;
    private readonly Action<WritePhase> _reached;
    private readonly Transactions _transactions;
    private readonly EntryRows _entries;
    private readonly EntryIndex _index;
    private readonly MapVersions _maps;
    private readonly Housekeeping _housekeeping;
    private readonly CosignedHeads _cosigned;
    private readonly Statement _enqueue, _next, _dequeue, _find, _tile, _head;
    private TileFrontier _log, _mapHeads;
    private PublishedHead? _withheldAt; // what readers see while witnesses must cosign first

    /// <param name="database">The log's file.</param>
    /// <param name="signer">Signs the heads.</param>
    /// <param name="reached">Called at each phase; for tests that kill the process there.</param>
    /// <param name="origin">The log's name in checkpoints; null for a log without them.</param>
    /// <param name="steps">How much is reclaimed at once; the default if null.</param>
    /// <exception cref="InvalidDataException">The file belongs to another key.</exception>
    public LogWriter(
        LogDatabase database, LogSigner signer, TimeProvider time, Action<WritePhase>? reached = null, string? origin = null,
        GarbageSteps? steps = null)
    {
        (_database, _signer, _time, _reached) = (database, signer, time, reached ?? (_ => { }));
        (_origin, _notes) = (origin, origin is null ? null : new HeadNoteSigner(origin, signer));
        var connection = database.Writer;
        _transactions = new Transactions(connection);
        _entries = new EntryRows(connection);
        _index = new EntryIndex(database);
        _maps = new MapVersions(database);
        _housekeeping = new Housekeeping(_transactions, _index, steps ?? GarbageSteps.Default, () => _reached(WritePhase.Reclaim));
        _cosigned = new CosignedHeads(database);
        _enqueue = new Statement(connection, "INSERT INTO queue (key, value, writer) VALUES ($1, $2, $3)");
        _next = new Statement(connection, $"SELECT seq, key, value, writer FROM queue ORDER BY seq LIMIT {BatchSize}");
        _dequeue = new Statement(connection, "DELETE FROM queue WHERE seq <= $1");
        _find = new Statement(connection, TileRow.Find);
        _tile = new Statement(connection, "INSERT OR REPLACE INTO hash_tile (number, hashes) VALUES ($1, $2)");
        _head = new Statement(connection, "INSERT INTO head (mh_size, head, signed_at) VALUES ($1, $2, $3)");
        Head = StoredHead(connection.DataSource);
        _index.Begin(Head.Size);
        _log = Frontier(Tree.Log, Head.Size);
        _mapHeads = Frontier(Tree.MapHeads, Head.MapHeadSize);
        Refusal = _cosigned.FindNewer() is { } newer ? Contradiction(newer) : null;
    }

    private static MapVersion Empty => new(default, 0, []);

    /// <summary>The newest head; durable. Its sizes are 0 before the first is signed.</summary>
    public PublishedHead Head { get; private set; }

    /// <summary>The head that readers may see: the newest, or the newest with its quorum when witnesses must cosign first.</summary>
    public PublishedHead Visible => _withheldAt ?? Head;

    /// <summary>Why nothing may be signed any more: a checkpoint under the log's own key that this file does not lead to; null while there
    /// is none.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Sizes that witnesses are known to have of a tree, by name.</summary>
    public ImmutableDictionary<string, long> WitnessedSizes(Tree tree) => _cosigned.SizesOf(tree);

    /// <summary>Signs the head of the empty log, unless there is a head. Settles which head readers see.</summary>
    /// <param name="isWithheld">Whether readers see heads only once they have their quorum. They go on from the head that they see
    /// now.</param>
    public void Begin(bool isWithheld = false)
    {
        if (Head.MapHeadSize is 0)
        {
            _transactions.Run(() => Head = Sign(Empty));
        }

        var cosigned = _cosigned.Find();
        Head = cosigned?.MapHeadSize == Head.MapHeadSize ? Publish(Head.Message, Head.MapRoot, cosigned) : Head;
        var goesOn = isWithheld && cosigned is { IsWithheld: true };
        _withheldAt = goesOn ? StoredHead(cosigned!) : isWithheld ? Head : null;
        if (isWithheld != (cosigned?.IsWithheld ?? false))
        {
            _transactions.Run(() => _cosigned.Keep(Row(Visible, isWithheld)));
        }
    }

    /// <summary>Keeps what witnesses answered, durably, and moves <see cref="Visible"/> if that was withheld.</summary>
    public void Keep(WitnessState state)
    {
        var contradicting = state.Shown.FirstOrDefault(note => !LeadsTo(note));
        _transactions.Run(() =>
        {
            _cosigned.KeepSizes(Tree.Log, state.LogSizes);
            _cosigned.KeepSizes(Tree.MapHeads, state.MapHeadSizes);
            if (contradicting is not null)
            {
                _cosigned.KeepNewer(contradicting);
            }

            if (state.Cosigned is { } head)
            {
                _cosigned.Keep(Row(head, isWithheld: _withheldAt is not null));
                _reached(WritePhase.Cosign);
            }
        });
        Refusal ??= contradicting is null ? null : Contradiction(contradicting);
        if (state.Cosigned is { } cosigned)
        {
            Head = cosigned.MapHeadSize == Head.MapHeadSize ? cosigned : Head;
            _withheldAt = _withheldAt is null ? null : cosigned;
        }
    }

    /// <summary>Queues items durably, all or none.</summary>
    public void Enqueue(IEnumerable<Entry> items)
    {
        _transactions.Run(() =>
        {
            foreach (var item in items)
            {
                _enqueue.Run(item.Key, item.Value, item.Writer);
            }

            _reached(WritePhase.Enqueue);
        });
        _reached(WritePhase.Enqueued);
    }

    /// <summary>Counts the queued items.</summary>
    public int CountQueue()
    {
        using var count = new Statement(_transactions.Connection, "SELECT count(*) FROM queue");
        return count.First(row => (int)row.Number(0));
    }

    /// <summary>Moves the next batch from the queue into the log, and signs a head over it.</summary>
    /// <returns>The number of items taken (0 when the queue is empty), and how many of them contradict an existing entry.</returns>
    /// <remarks>A key already in the log keeps its first value; when nothing is new, no head is signed.</remarks>
    public (int Taken, int Conflicts) Sequence()
    {
        var items = _next.All(row => (
            Seq: row.Number(0), Entry: new Entry(row.Bytes(1), row.Bytes(2)) { Writer = row.IsNull(3) ? null : row.Text(3) }));
        return items.Count is 0 ? default : (items.Count, Sequence([.. items.Select(item => item.Entry)], dequeueTo: items[^1].Seq));
    }

    /// <summary>Appends a batch without queueing it; the queue must be empty to preserve order. Durable on return.</summary>
    /// <returns>The number of items that contradict an existing entry.</returns>
    public int Sequence(IReadOnlyList<Entry> batch) => Sequence(batch, dequeueTo: 0);

    private int Sequence(IReadOnlyList<Entry> batch, long dequeueTo)
    {
        try
        {
            var (head, conflicts) = (Head, 0);
            _transactions.Run(() =>
            {
                (var map, conflicts) = Append(batch, isDurable: true);
                head = map is { } version ? Sign(version) : Head;
                _dequeue.Run(dequeueTo);
                _reached(WritePhase.Sign);
            });
            _reached(WritePhase.Committed);
            Head = head;
            _index.Publish(Head.Size);
            _database.Checkpoints.Wrote(batch.Count);
            return conflicts;
        }
        catch
        {
            // The transaction was rolled back: discard what was hashed in memory.
            _maps.Forget();
            _index.Discard();
            (_log, _mapHeads) = (Frontier(Tree.Log, Head.Size), Frontier(Tree.MapHeads, Head.MapHeadSize));
            throw;
        }
    }

    /// <summary>Writes part of an existing log, batch by batch, each with its signed head. All or none.</summary>
    /// <exception cref="InvalidDataException">A head contradicts its batches.</exception>
    public void Replay(IEnumerable<(IReadOnlyList<Entry> Batch, LogHead Head, long SignedAt)> batches)
    {
        _transactions.Run(() =>
        {
            foreach (var (batch, head, signedAt) in batches)
            {
                var map = batch.Count is 0 ? Empty : Append(batch, isDurable: false).Map;
                Head = map is { } version && SignedTreeHead.TryRead(head, out var read, out _) && read.Content == Close(version.Hash)
                    ? Keep(head, version, signedAt)
                    : throw new InvalidDataException($"the head of size {head.TreeSize} is not the head of its {head.TreeSize} entries");
            }
        });
        _index.Publish(Head.Size);
    }

    /// <summary>Writes conflicts that were signed before.</summary>
    /// <exception cref="InvalidDataException">A conflict is not signed by the log.</exception>
    public void ReplayConflicts(IEnumerable<Conflict> conflicts) => _transactions.Run(() =>
    {
        foreach (var conflict in conflicts)
        {
            var other = new Entry(conflict.Key.ToByteArray(), conflict.OtherValue.ToByteArray());
            var isNumber = WireNumber.TryRead(conflict.Index, out long index) & WireNumber.TryRead(conflict.SeenAt, out long seenAt);
            var isRight = isNumber && Digest.TryRead(conflict.ValueDigest.Span, out var digest) && index < _log.Size
                && _signer.Key.Verify(new ConflictRecord(other.Key, index, digest, other.ValueDigest, seenAt), conflict.Signature.Span);
            if (!isRight)
            {
                throw new InvalidDataException($"holds a conflict with entry {conflict.Index} that the log did not sign");
            }

            _entries.AddConflict(index, other, seenAt, conflict.Signature.ToByteArray());
        }
    });

    /// <inheritdoc cref="Housekeeping.Step"/>
    /// <param name="window">How long the version of a superseded head is kept; zero drops none.</param>
    /// <param name="isQuiet">Whether little is submitted at present.</param>
    public bool Reclaim(TimeSpan window, bool isQuiet) => _housekeeping.Step(
        window == TimeSpan.Zero ? long.MinValue : (_time.GetUtcNow() - window).ToUnixTimeMilliseconds(), Visible.MapHeadSize, isQuiet);

    public void Dispose()
    {
        foreach (var part in new IDisposable[] { _transactions, _entries, _index, _maps, _housekeeping, _cosigned, _enqueue, _next,
            _dequeue, _find, _tile, _head })
        {
            part.Dispose();
        }
    }

    /// <summary>Reads the newest stored head and checks its signature; one of size 0 when there is none.</summary>
    private PublishedHead StoredHead(string file)
    {
        using var newest = new Statement(_transactions.Connection, "SELECT head FROM head ORDER BY mh_size DESC LIMIT 1");
        var head = newest.First(row => row.Bytes(0)) is { } stored ? LogHead.Parser.ParseFrom(stored) : new LogHead();
        return head.MHTreeSize is 0 || (SignedTreeHead.TryRead(head, out var read, out _) && _signer.Key.TryVerify(read, out _, out _))
            ? Publish(head, _maps.Newest())
            : throw new InvalidDataException(
                $"{file} holds a log created with a key other than {_signer.Key}: a log keeps its key for life.");
    }

    /// <summary>Reads a stored head by its number.</summary>
    private PublishedHead StoredHead(CosignedHead cosigned) => _cosigned.FindHead(cosigned.MapHeadSize) is var (message, root)
        ? Publish(message, root, cosigned)
        : throw new InvalidDataException($"{_transactions.Connection.DataSource} lacks the map of its cosigned head "
            + $"{cosigned.MapHeadSize}: it is damaged; log import rebuilds it from an export.");

    private static CosignedHead Row(PublishedHead head, bool isWithheld) =>
        new(head.MapHeadSize, head.Notes?.Log.ToBytes() ?? [], head.Notes?.MapHeads.ToBytes() ?? [], isWithheld);

    /// <summary>Whether the file leads to a checkpoint of the log or of its map-head log: it is one of its own states.</summary>
    private bool LeadsTo(byte[] note)
    {
        if (!SignedNote.TryParse(note, out var signed, out _) || !Checkpoint.TryRead(signed, out var shown))
        {
            return true; // it shows nothing
        }

        var (tree, size) = shown.Origin == _origin ? (Tree.Log, Head.Size) : (Tree.MapHeads, Head.MapHeadSize);
        return shown.Size <= size
            && _database.Read(reader => MerkleTree.Root(shown.Size, TileNodes.Of(reader, tree))) == shown.Root;
    }

    private string Contradiction(byte[] note) =>
        $"a checkpoint under this log's own key was seen that its file of {Head.Size} entries does not lead to: "
        + $"{Encoding.UTF8.GetString(note).Split('\n') switch { [var origin, var size, ..] => $"{origin} of size {size}", _ => "" }}. "
        + "The file is an old copy: restore the newest state, or start a new log with a new key";

    private TileFrontier Frontier(Tree tree, long size) =>
        new(size, (level, index) => _find.First(row => row.Bytes(0), TileRow.NumberOf(tree, level, index)));

    /// <summary>Appends new entries; returns the resulting map, or null when nothing is new.</summary>
    /// <param name="entries">The batch.</param>
    /// <param name="isDurable">Whether the map that it is added to is on disk, and not of the same transaction.</param>
    private (MapVersion? Map, int Conflicts) Append(IReadOnlyList<Entry> entries, bool isDurable)
    {
        var paths = entries.Select(entry => Digest.Of(entry.Key)).ToList();
        var map = isDurable ? _maps.Open(Head.MapRoot, paths) : _maps.Open(Head.MapRoot);
        var (first, added, repeated) = (_log.Size, new List<Entry>(), new List<(long Index, Entry Entry)>());
        foreach (var (entry, path) in entries.Zip(paths))
        {
            if (map.TryFind(path, out var known))
            {
                repeated.Add((known.Index, entry));
                continue;
            }

            var mapEntry = new MapEntry(entry.ValueDigest, first + added.Count);
            map.Insert(new MapLeaf(path, Digest.Of(mapEntry.ToBytes()), mapEntry.Index));
            added.Add(entry);
        }

        MapVersions.BeginHashing(map, added.Count);
        Write(added);
        var conflicts = repeated.Count(item => _entries.AddConflict(item.Index, item.Entry, _signer, Now));
        if (added.Count is 0)
        {
            return (null, conflicts);
        }

        var version = _maps.Write(map, Head.MapRoot);
        _reached(WritePhase.Append);
        return (version, conflicts);
    }

    /// <summary>Appends entries to the log's rows, its index and its tree.</summary>
    private void Write(List<Entry> added)
    {
        _entries.Wrote(_log.Size, added.ConvertAll(entry => entry.Writer));
        foreach (var entry in added)
        {
            _entries.Add(_log.Size, entry);
            _index.Add(_log.Size, entry);
            _log.Append(MerkleHash.LogLeaf(entry.Key, entry.ValueDigest));
        }

        _index.Move();
    }

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private PublishedHead Sign(MapVersion map) => Keep(_signer.Sign(Close(map.Hash)).ToMessage(), map, Now);

    /// <summary>Appends the map root to the map-head log; returns the content of the next head.</summary>
    private TreeHead Close(Digest mapRoot)
    {
        _mapHeads.Append(MerkleHash.MapHeadLeaf(mapRoot));
        return new TreeHead(_log.Root(), _log.Size, mapRoot, _mapHeads.Root(), _mapHeads.Size);
    }

    private PublishedHead Keep(LogHead head, MapVersion map, long signedAt)
    {
        WriteTiles(Tree.Log, _log);
        WriteTiles(Tree.MapHeads, _mapHeads);
        _head.Run(WireNumber.OfOurs(head.MHTreeSize), head.ToByteArray(), signedAt);
        _maps.Keep(WireNumber.OfOurs(head.MHTreeSize), map, signedAt);
        return Publish(head, map.Root);
    }

    private PublishedHead Publish(LogHead head, long mapRoot, CosignedHead? cosigned = null) =>
        new(head, mapRoot, _notes?.SignOnDemand(head, cosigned));

    private void WriteTiles(Tree tree, TileFrontier frontier)
    {
        foreach (var ((level, index), hashes) in frontier.TakeChanges())
        {
            _tile.Run(TileRow.NumberOf(tree, level, index), hashes);
        }
    }
}
