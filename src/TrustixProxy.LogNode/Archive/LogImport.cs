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

    private readonly string _folder;
    private readonly LogSigner _signer;
    private readonly LogHead _newest;
    private readonly long _size, _mapHeadSize; // of the newest head
    private readonly IEnumerator<(byte[] Key, byte[] Value)> _entries;
    private long _taken;

    private LogImport(string folder, LogSigner signer)
    {
        (_folder, _signer) = (folder, signer);
        _newest = ReadFile(ArchiveLayout.Head, bytes => ArchiveLayout.Parse(LogHead.Parser, bytes));
        if (!WireNumber.TryRead(_newest.TreeSize, out _size) || !WireNumber.TryRead(_newest.MHTreeSize, out _mapHeadSize))
        {
            throw new InvalidDataException(
                $"{Path.Combine(folder, ArchiveLayout.Head)} names sizes {_newest.TreeSize} and {_newest.MHTreeSize}; both must be less "
                    + $"than 2^63.");
        }

        _entries = Records(ArchiveLayout.Entries, _size, ArchiveLayout.DecodeEntries).GetEnumerator();
    }

    /// <summary>Imports a log.</summary>
    /// <param name="signer">The log's key.</param>
    /// <param name="stateDirectory">The node's state directory; no node may be running there.</param>
    /// <param name="name">The log's name there.</param>
    /// <returns>The number of entries and heads.</returns>
    /// <exception cref="InvalidDataException">The files are incomplete, or contradict the log; the message says where.</exception>
    /// <exception cref="IOException">A node is running there, or there is such a log already, or a file cannot be read or
    /// written.</exception>
    public static (long Entries, long Heads) Run(string folder, LogSigner signer, string stateDirectory, string name)
    {
        using var directory = DirectoryLock.Take(stateDirectory);
        var path = LogDatabase.PathOf(stateDirectory, name);
        if (File.Exists(path))
        {
            throw new IOException($"{path} already exists: import only where there is no log.");
        }

        var (unfinished, import) = (path + ".importing", new LogImport(folder, signer));
        File.Delete(unfinished);
        using (var database = LogDatabase.OpenToWrite(unfinished))
        using (var writer = new LogWriter(database, signer, TimeProvider.System))
        {
            import.Replay(writer);
            database.Close();
        }

        File.Move(unfinished, path);
        return (import._size, import._mapHeadSize);
    }

    private void Replay(LogWriter writer)
    {
        using var heads = Records(ArchiveLayout.Heads, _mapHeadSize, ArchiveLayout.DecodeHeads).GetEnumerator();
        var more = heads.MoveNext();
        while (more)
        {
            writer.Replay(Batches());
        }

        if (!writer.Head.Message.Equals(_newest))
        {
            throw new InvalidDataException($"{Path.Combine(_folder, ArchiveLayout.Head)} is not the last of {ArchiveLayout.Heads}.");
        }

        writer.ReplayConflicts(Conflicts());

        IEnumerable<(IReadOnlyList<Entry> Batch, LogHead Head, long SignedAt)> Batches()
        {
            var before = writer.Head.Size;
            do
            {
                var head = heads.Current;
                yield return (TakeTo(Verify(head.Head).TreeSize), head.Head, head.SignedAt);
                more = heads.MoveNext();
            }
            while (more && writer.Head.Size - before < EntriesAtOnce);
        }
    }

    private TreeHead Verify(LogHead head)
    {
        if (!SignedTreeHead.TryRead(head, out var read, out var error) || !_signer.Key.TryVerify(read, out _, out error))
        {
            throw new InvalidDataException(
                $"The head of size {head.TreeSize} in {ArchiveLayout.Heads} is not signed by the log {_signer.Key.LogId}: {error}.");
        }

        return read.Content;
    }

    private List<Entry> TakeTo(long size)
    {
        var batch = new List<Entry>();
        while (_taken < size && _entries.MoveNext())
        {
            batch.Add(new Entry(_entries.Current.Key, _entries.Current.Value));
            _taken++;
        }

        return batch;
    }

    private IEnumerable<Conflict> Conflicts()
    {
        for (long index = 0; Find(ArchiveLayout.Conflicts, index) is { } file; index++)
        {
            foreach (var conflict in ReadFile(file, bytes => ArchiveLayout.DecodeConflicts(bytes).ToList()))
            {
                yield return conflict;
            }
        }
    }

    /// <summary>Reads the records of a folder's files, in order.</summary>
    private IEnumerable<T> Records<T>(string folder, long count, Func<byte[], IEnumerable<T>> decode)
    {
        for (long index = 0; index * ArchiveLayout.Width < count; index++)
        {
            var expected = (int)Math.Min(ArchiveLayout.Width, count - (index * ArchiveLayout.Width));
            var file = ArchiveLayout.FileName(folder, index, expected);
            var records = ReadFile(file, bytes => decode(bytes).ToList());
            if (records.Count != expected)
            {
                throw new InvalidDataException($"{Path.Combine(_folder, file)} holds {records.Count} records; it must hold {expected}.");
            }

            foreach (var record in records)
            {
                yield return record;
            }
        }
    }

    /// <summary>Finds the full file, or the partial one with the most records; null when there is none.</summary>
    private string? Find(string folder, long index)
    {
        var full = ArchiveLayout.FileName(folder, index, ArchiveLayout.Width);
        var partial = Path.Combine(_folder, full + ".p");
        return File.Exists(Path.Combine(_folder, full)) ? full
            : Directory.Exists(partial) && Directory.GetFiles(partial).Select(Path.GetFileName).Where(name => int.TryParse(name, out _))
                .MaxBy(int.Parse!) is { } width ? $"{full}.p/{width}"
            : null;
    }

    private T ReadFile<T>(string name, Func<byte[], T> decode)
    {
        var path = Path.Combine(_folder, name);
        try
        {
            return new FileInfo(path) is { Exists: true, Length: > ArchiveLayout.MaxFile } ? throw new InvalidDataException("is too long")
                : decode(File.ReadAllBytes(path));
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{path} {exception.Message}.", exception);
        }
    }
}
