using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Writes a log as static files, laid out as in <see cref="ArchiveLayout"/>. A later export into the same folder adds what is
/// new.</summary>
/// <remarks>Tiles are written before the head and the checkpoints, and replaced files are deleted last. After a crash the folder is
/// readable as of this export or the one before, and the next export goes on where this one was.</remarks>
public sealed class LogExport
{
    private readonly LogDatabase _log;
    private readonly LogHead _head;
    private readonly CosignedHead? _cosigned;
    private readonly ArchiveFolder _folder;
    private readonly ArchiveDescription _description;
    private readonly (long Log, long MapHeads) _size, _before;

    private LogExport(
        LogDatabase log, LogHead head, CosignedHead? cosigned, ArchiveFolder folder, ArchiveDescription description)
    {
        (_log, _head, _cosigned, _folder, _description) = (log, head, cosigned, folder, description);
        _size = SizesOf(head);
        var last = folder.Has(ArchiveLayout.Head)
            ? folder.Read(ArchiveLayout.Head, bytes => ArchiveLayout.Parse(LogHead.Parser, bytes)) : new LogHead();
        _before = SizesOf(last);
        if (_before.Log > _size.Log || _before.MapHeads > _size.MapHeads)
        {
            throw new InvalidDataException($"{folder.PathOf(ArchiveLayout.Head)} is of a larger log than this one, of {head.TreeSize} "
                + "entries: is the state directory an old copy? A node must never sign from an old copy.");
        }
    }

    /// <summary>Exports what readers of a log may see; a node may keep writing.</summary>
    /// <param name="path">The log's file.</param>
    /// <param name="signer">The log's key.</param>
    /// <param name="folder">The destination; created if missing.</param>
    /// <param name="origin">The log's name in checkpoints; null for a log without them.</param>
    /// <param name="progress">Receives the share of the files that are there now and then: up to 1.</param>
    /// <returns>The number of entries in the export, of files written now, and the version of the layout.</returns>
    /// <exception cref="InvalidDataException">The folder holds another log, or more entries of this one than the file.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static (long Entries, int Files, int Version) Run(
        string path, LogSigner signer, string folder, string? origin = null, Action<double>? progress = null)
    {
        using var database = LogDatabase.OpenToRead(path);
        var (head, cosigned) = database.Read(reader => reader.VisibleHead());
        var files = new ArchiveFolder(folder);
        var export = new LogExport(database, head, cosigned, files, Describe(files, ArchiveDescription.Of(signer.Key, origin)));
        return export.Write(signer, progress ?? (_ => { }));
    }

    /// <summary>Describes the export: as the folder does already, or as the log asks for.</summary>
    private static ArchiveDescription Describe(ArchiveFolder folder, ArchiveDescription own)
    {
        if (!folder.Has(ArchiveLayout.Description))
        {
            folder.Write(ArchiveLayout.Description, own.ToBytes());
            return own;
        }

        var there = folder.ReadDescription(own);
        return there.HasCheckpoints && there.Origin != own.Origin
            ? throw new InvalidDataException($"{folder.PathOf(ArchiveLayout.Description)} names the origin '{there.Origin}', and the "
                + $"configuration {(own.Origin is null ? "none" : $"'{own.Origin}'")}: an origin never changes, so set the log's "
                + "origin to the first, or export to a new folder.")
            : there;
    }

    private (long Entries, int Files, int Version) Write(LogSigner signer, Action<double> progress)
    {
        var conflicts = _log.Read(reader => reader.CountConflicts(_size.Log));
        var tiles = _description.HasCheckpoints
            ? TilePath.Folders(Tree.Log, _size.Log).Concat(TilePath.Folders(Tree.MapHeads, _size.MapHeads))
            : TilePath.Folders(Tree.Log, _size.Log).Where(tile => tile.Kind is TileKind.Hashes);
        ArchivePart[] parts =
        [
            .. tiles.Select(TilesOf),
            .. _description.HasCheckpoints ? Array.Empty<ArchivePart>()
                : [new(ArchiveLayout.Entries, _before.Log, _size.Log, RecordsOf((reader, from, to) =>
                    reader.AllEntries(from, to).Select(row => ArchiveLayout.Encode(row.Entry.Key, row.Entry.Value))))],
            new(ArchiveLayout.Heads, _before.MapHeads, _size.MapHeads, RecordsOf((reader, from, to) =>
                reader.HeadsBetween(from, to).Select(head => ArchiveLayout.Encode(head.Message, head.SignedAt)))),
            new(ArchiveLayout.Conflicts, 0, conflicts, RecordsOf((reader, from, to) =>
                reader.FindConflicts(from, (int)(to - from)).Select(ArchiveLayout.Encode))),
        ];
        var (files, done, all) = (0, 0L, (double)Math.Max(1, parts.Sum(part => part.Files)));
        foreach (var part in parts)
        {
            files += _folder.WriteMissing(part.Folder, part.Count, part.Read, written => progress((done + written) / all));
            done += part.Files;
        }

        foreach (var (name, bytes) in Notes(signer))
        {
            _folder.Write(name, bytes);
            files++;
        }

        foreach (var part in parts)
        {
            _folder.DropPartials(part.Folder, part.Before, part.Count);
        }

        return (_size.Log, files, _description.Version);
    }

    /// <summary>Returns the files that say which tiles there are, in the order of writing: the head last the first time, and before the
    /// checkpoints later, so that a folder with a head is whole.</summary>
    private (string Name, byte[] Bytes)[] Notes(LogSigner signer)
    {
        var isNew = !_folder.Has(ArchiveLayout.Head);
        (string, byte[])[] head = [(ArchiveLayout.Head, _head.ToByteArray())];
        if (!_description.HasCheckpoints)
        {
            return head;
        }

        var notes = new HeadNoteSigner(_description.Origin!, signer).SignOnDemand(_head, _cosigned).Value;
        (string, byte[])[] checkpoints =
        [
            (ArchiveLayout.MapHeads + ArchiveLayout.Checkpoint, notes.MapHeads.ToBytes()),
            (ArchiveLayout.Checkpoint, notes.Log.ToBytes()),
        ];
        return isNew ? [.. checkpoints, .. head] : [.. head, .. checkpoints];
    }

    private ArchivePart TilesOf(TilePath first)
    {
        var (before, size) = first.Tree is Tree.Log ? (_before.Log, _size.Log) : (_before.MapHeads, _size.MapHeads);
        var bits = TilePath.Height * first.Level;
        return new ArchivePart(first.Folder, before >> bits, size >> bits, (index, width) =>
            TileFiles.Read(_log, first with { Index = index, Width = width }));
    }

    /// <summary>Reads records of a file from one state of the log.</summary>
    private Func<long, int, IEnumerable<byte[]>> RecordsOf(Func<LogReader, long, long, IEnumerable<byte[]>> records) =>
        (index, width) => _log.Read(reader =>
            records(reader, index * ArchiveLayout.Width, (index * ArchiveLayout.Width) + width).ToList());

    private static (long Log, long MapHeads) SizesOf(LogHead head) =>
        WireNumber.TryRead(head.TreeSize, out long log) & WireNumber.TryRead(head.MHTreeSize, out long mapHeads) ? (log, mapHeads)
            : throw new InvalidDataException($"A head names the sizes {head.TreeSize} and {head.MHTreeSize}; both must be less than 2^63.");

    /// <summary>A folder of the export.</summary>
    /// <param name="Folder">Its name.</param>
    /// <param name="Before">Number of records at the last export.</param>
    /// <param name="Count">Number of records now.</param>
    /// <param name="Read">Reads the file of a number and a width, in parts.</param>
    private sealed record ArchivePart(string Folder, long Before, long Count, Func<long, int, IEnumerable<byte[]>> Read)
    {
        public long Files => (Count + ArchiveLayout.Width - 1) / ArchiveLayout.Width;
    }
}
