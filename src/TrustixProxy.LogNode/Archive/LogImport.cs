using TrustixProxy.IO.Storage;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Rebuilds a log's file from its static files. Verifies every head's signature, and all three roots it signs.</summary>
/// <remarks>Heads are kept as they are; nothing is signed. A log that continues from an export without its latest published entries forks
/// itself. Import only if no newer head was ever shown.</remarks>
public sealed class LogImport
{
    private const int EntriesAtOnce = 20_000;

    private readonly ArchiveFolder _folder;
    private readonly LogSigner _signer;
    private readonly ArchiveDescription? _description;
    private readonly LogHead _newest;
    private readonly long _size, _mapHeadSize; // of the newest head
    private readonly IEnumerator<Entry> _entries;
    private long _taken;

    private LogImport(ArchiveFolder folder, LogSigner signer, string? origin)
    {
        (_folder, _signer) = (folder, signer);
        _description = Describe(origin);
        _newest = folder.Read(ArchiveLayout.Head, bytes => Verify(ArchiveLayout.Parse(LogHead.Parser, bytes)));
        (_size, _mapHeadSize) = (WireNumber.OfOurs(_newest.TreeSize), WireNumber.OfOurs(_newest.MHTreeSize));
        _entries = (HasCheckpoints ? new ArchivedEntries(folder).ReadAll(_size)
            : folder.ReadAll(ArchiveLayout.Entries, _size, ArchiveLayout.DecodeEntries)
                .SelectMany(file => file.Records, (_, entry) => new Entry(entry.Key, entry.Value))).GetEnumerator();
    }

    private bool HasCheckpoints => _description is { HasCheckpoints: true };

    /// <summary>Imports a log.</summary>
    /// <param name="folder">The export.</param>
    /// <param name="signer">The log's key.</param>
    /// <param name="stateDirectory">The node's state directory; no node may be running there.</param>
    /// <param name="name">The log's name there.</param>
    /// <param name="origin">The log's name in checkpoints as it will be served; null when it will have none.</param>
    /// <returns>The number of entries and heads.</returns>
    /// <exception cref="InvalidDataException">The files are incomplete, or contradict the log; the message says where.</exception>
    /// <exception cref="IOException">A node is running there, or there is such a log already, or a file cannot be read or
    /// written.</exception>
    public static (long Entries, long Heads) Run(
        string folder, LogSigner signer, string stateDirectory, string name, string? origin = null)
    {
        using var directory = DirectoryLock.Take(stateDirectory);
        var path = LogDatabase.PathOf(stateDirectory, name);
        if (File.Exists(path))
        {
            throw new IOException($"{path} already exists: import only where there is no log.");
        }

        var (unfinished, import) = (path + ".importing", new LogImport(new ArchiveFolder(folder), signer, origin));
        File.Delete(unfinished);
        using (var database = LogDatabase.OpenToWrite(unfinished))
        using (var writer = new LogWriter(database, signer, TimeProvider.System))
        {
            import.Replay(writer);
            if (import.HasCheckpoints)
            {
                new ArchivedTiles(import._folder, database).Check(writer.Head, import._description!.Origin!, signer.Key);
            }

            database.Close();
        }

        File.Move(unfinished, path);
        return (import._size, import._mapHeadSize);
    }

    /// <summary>Reads the description, unless it is missing, which leaves version 1.</summary>
    private ArchiveDescription? Describe(string? origin)
    {
        if (!_folder.Has(ArchiveLayout.Description))
        {
            return null;
        }

        var own = ArchiveDescription.Of(_signer.Key, origin);
        var there = _folder.ReadDescription(own);
        return there.HasCheckpoints && own.HasCheckpoints && there.Origin != own.Origin
            ? throw new InvalidDataException($"{_folder.PathOf(ArchiveLayout.Description)} names the origin '{there.Origin}', and the "
                + $"configuration '{own.Origin}': an origin never changes, so set the log's origin to the first.")
            : there;
    }

    private void Replay(LogWriter writer)
    {
        using var heads = _folder.ReadAll(ArchiveLayout.Heads, _mapHeadSize, ArchiveLayout.DecodeHeads)
            .SelectMany(file => file.Records, (file, head) => (file.Name, head.Head, head.SignedAt)).GetEnumerator();
        var more = heads.MoveNext();
        while (more)
        {
            writer.Replay(Batches());
        }

        if (!writer.Head.Message.Equals(_newest))
        {
            throw new InvalidDataException($"{_folder.PathOf(ArchiveLayout.Head)} is not the last of {ArchiveLayout.Heads}.");
        }

        for (long index = 0; _folder.Find(ArchiveLayout.Conflicts, index) is { } file; index++)
        {
            _folder.Read(file, bytes =>
            {
                writer.ReplayConflicts(ArchiveLayout.DecodeConflicts(bytes));
                return true;
            });
        }

        IEnumerable<(IReadOnlyList<Entry> Batch, LogHead Head, long SignedAt)> Batches()
        {
            var before = writer.Head.Size;
            do
            {
                var (name, head, signedAt) = heads.Current;
                yield return (TakeTo(_folder.Named(name, () => Verify(head)).TreeSize), head, signedAt);
                more = heads.MoveNext();
            }
            while (more && writer.Head.Size - before < EntriesAtOnce);
        }
    }

    private LogHead Verify(LogHead head) =>
        SignedTreeHead.TryRead(head, out var read, out var error) && _signer.Key.TryVerify(read, out _, out error) ? head
            : throw new InvalidDataException(
                $"holds a head of size {head.TreeSize} that the log {_signer.Key.LogId} did not sign: {error}");

    private List<Entry> TakeTo(ulong size)
    {
        var batch = new List<Entry>();
        while (_taken < WireNumber.OfOurs(size) && _entries.MoveNext())
        {
            batch.Add(_entries.Current);
            _taken++;
        }

        return batch;
    }
}
