using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Writes a log as static files, laid out as in <see cref="ArchiveLayout"/>. A later export into the same folder adds what is
/// new.</summary>
public sealed class LogExport
{
    private readonly LogReader _reader;
    private readonly string _folder;

    private LogExport(LogReader reader, string folder) => (_reader, _folder) = (reader, folder);

    /// <summary>Exports a snapshot of a log's file; a node may keep writing.</summary>
    /// <param name="path">The log's file.</param>
    /// <param name="key">The log's public key.</param>
    /// <param name="folder">The destination; created if missing.</param>
    /// <returns>The number of entries in the export, and of files written now.</returns>
    /// <exception cref="InvalidDataException">The folder holds another log, or more entries of this one than the file.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static (long Entries, int Files) Run(string path, LogKey key, string folder)
    {
        using var database = LogDatabase.OpenToRead(path);
        return database.Read(reader => new LogExport(reader, folder).Write(key));
    }

    private (long Entries, int Files) Write(LogKey key)
    {
        var head = _reader.NewestHead();
        CheckFolder(key, head);
        var size = WireNumber.OfOurs(head.TreeSize);
        var files = WriteRecords(ArchiveLayout.Entries, size, (from, to) =>
            _reader.AllEntries(from, to).Select(row => ArchiveLayout.Encode(row.Entry.Key, row.Entry.Value)));
        for (var (level, count) = (0, size); count > 0; level++, count /= ArchiveLayout.Width)
        {
            var below = level;
            files += WriteRecords(ArchiveLayout.Level(level), count, (from, to) => below is 0
                ? _reader.AllEntries(from, to).Select(row => MerkleHash.LogLeaf(row.Entry.Key, row.Entry.ValueDigest).ToArray())
                : Enumerable.Range(0, (int)(to - from)).Select(i => RootOfTile(below - 1, from + i)));
        }

        files += WriteRecords(ArchiveLayout.Heads, WireNumber.OfOurs(head.MHTreeSize), (from, to) =>
            _reader.HeadsBetween(from, to).Select(head => ArchiveLayout.Encode(head.Message, head.SignedAt)));
        files += WriteRecords(ArchiveLayout.Conflicts, _reader.Count("conflict"), (from, to) =>
            _reader.FindConflicts(from, (int)(to - from)).Select(ArchiveLayout.Encode));
        WriteFile(ArchiveLayout.Head, head.ToByteArray());
        return (size, files + 1);
    }

    private void CheckFolder(LogKey key, LogHead head)
    {
        var description = Encoding.UTF8.GetBytes(
            new JsonObject { ["version"] = 1, ["logId"] = key.LogId, ["publicKey"] = key.ToString() }.ToJsonString());
        var path = Path.Combine(_folder, ArchiveLayout.Description);
        if (!File.Exists(path))
        {
            WriteFile(ArchiveLayout.Description, description);
        }
        else if (!File.ReadAllBytes(path).AsSpan().SequenceEqual(description))
        {
            throw new InvalidDataException($"{path} describes another log than {key.LogId}: export each log to its own folder.");
        }

        var newest = Path.Combine(_folder, ArchiveLayout.Head);
        if (File.Exists(newest) && LogHead.Parser.ParseFrom(File.ReadAllBytes(newest)).TreeSize > head.TreeSize)
        {
            throw new InvalidDataException($"{newest} is of a larger log than this one, of {head.TreeSize} entries: is the state directory "
                + $"an old copy? It must never sign again.");
        }
    }

    /// <summary>Writes the missing files of a folder.</summary>
    /// <param name="folder">The folder's name.</param>
    /// <param name="count">Number of records it must hold.</param>
    /// <param name="read">Returns the records from one number to before another.</param>
    private int WriteRecords(string folder, long count, Func<long, long, IEnumerable<byte[]>> read)
    {
        var written = 0;
        for (var index = FirstMissing(folder, count); index * ArchiveLayout.Width < count; index++)
        {
            var (from, to) = (index * ArchiveLayout.Width, Math.Min((index + 1) * ArchiveLayout.Width, count));
            var file = ArchiveLayout.FileName(folder, index, (int)(to - from));
            if (!File.Exists(Path.Combine(_folder, file)))
            {
                WriteFile(file, [.. read(from, to).SelectMany(record => record)]);
                DropPartial(ArchiveLayout.FileName(folder, index, ArchiveLayout.Width) + ".p", keep: Path.GetFileName(file));
                written++;
            }
        }

        return written;
    }

    /// <summary>Returns the first missing full file: files are written in order, and never deleted.</summary>
    private long FirstMissing(string folder, long count)
    {
        var (low, high) = (0L, count / ArchiveLayout.Width);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = File.Exists(Path.Combine(_folder, ArchiveLayout.FileName(folder, middle, ArchiveLayout.Width)))
                ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private byte[] RootOfTile(int level, long index)
    {
        var bytes = File.ReadAllBytes(
            Path.Combine(_folder, ArchiveLayout.FileName(ArchiveLayout.Level(level), index, ArchiveLayout.Width)));
        return MerkleTree.RootOf([.. bytes.Chunk(Digest.Size).Select(hash => new Digest(hash))]).ToArray();
    }

    /// <summary>Deletes partial files once there is one with more records.</summary>
    private void DropPartial(string folder, string keep)
    {
        var path = Path.Combine(_folder, folder);
        foreach (var file in Directory.Exists(path) ? Directory.GetFiles(path) : [])
        {
            if (Path.GetFileName(file) != keep)
            {
                File.Delete(file);
            }
        }

        if (Directory.Exists(path) && !Directory.EnumerateFileSystemEntries(path).Any())
        {
            Directory.Delete(path);
        }
    }

    private void WriteFile(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = path + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
