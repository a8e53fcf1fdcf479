using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Checks hash tiles, map roots and checkpoints of an export against the log that was rebuilt from its entries and
/// heads.</summary>
internal sealed class ArchivedTiles(ArchiveFolder folder, LogDatabase log)
{
    /// <summary>Checks all that the entries and heads do not show.</summary>
    /// <param name="head">The newest head.</param>
    /// <param name="origin">The log's name in checkpoints.</param>
    /// <param name="key">The log's key.</param>
    /// <exception cref="InvalidDataException">A file is not that of this log; the message names it.</exception>
    public void Check(PublishedHead head, string origin, LogKey key)
    {
        foreach (var tile in TilePath.Folders(Tree.Log, head.Size).Where(tile => tile.Kind is TileKind.Hashes))
        {
            Check(tile, head.Size >> (TilePath.Height * tile.Level));
        }

        foreach (var tile in TilePath.Folders(Tree.MapHeads, head.MapHeadSize))
        {
            Check(tile, head.MapHeadSize >> (TilePath.Height * tile.Level));
        }

        CheckNote(ArchiveLayout.Checkpoint, Tree.Log, head.Size, VerifierKey.OfLog(origin, key));
        CheckNote(ArchiveLayout.MapHeads + ArchiveLayout.Checkpoint, Tree.MapHeads, head.MapHeadSize,
            VerifierKey.OfLog(origin + Checkpoint.MapHeads, key));
    }

    private void Check(TilePath first, long count)
    {
        for (long index = 0; index * ArchiveLayout.Width < count; index++)
        {
            var tile = first with { Index = index, Width = (int)Math.Min(ArchiveLayout.Width, count - (index * ArchiveLayout.Width)) };
            var expected = TileFiles.Read(log, tile).SelectMany(part => part).ToArray();
            folder.Read(ArchiveLayout.FileName(tile.Folder, index, tile.Width), bytes => bytes.AsSpan().SequenceEqual(expected) ? bytes
                : throw new InvalidDataException("does not match the log's entries and heads"));
        }
    }

    /// <summary>Checks that the log signed a checkpoint, of this state or of an earlier one: an export may end between head and
    /// checkpoint.</summary>
    private void CheckNote(string name, Tree tree, long size, VerifierKey key) => folder.Read(name, bytes =>
        !SignedNote.TryParse(bytes, out var note, out var error) ? throw new InvalidDataException($"is not a signed note: {error}")
        : note.Check(key) is not SignatureCheck.Valid ? throw new InvalidDataException($"is not signed by {key}")
        : !Checkpoint.TryRead(note, out var said) || said.Origin != key.Name
            ? throw new InvalidDataException("is not a checkpoint of this log")
        : said.Size > size || said.Root != log.Read(reader => MerkleTree.Root(said.Size, TileNodes.Of(reader, tree)))
            ? throw new InvalidDataException($"is of size {said.Size} with a root that the log does not have")
        : said);
}
