using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Reads the entries of an export of version 2, and checks each against its value and its hash.</summary>
internal sealed class ArchivedEntries(ArchiveFolder folder)
{
    /// <summary>Reads entries in order.</summary>
    /// <param name="count">Number of entries.</param>
    /// <exception cref="InvalidDataException">The files do not belong together; the message names them.</exception>
    public IEnumerable<Entry> ReadAll(long count)
    {
        using var hashes = folder.ReadAll(ArchiveLayout.Level(0), count, ArchiveLayout.DecodeHashes).GetEnumerator();
        using var values = folder.ReadAll(ArchiveLayout.Values, count, ArchiveLayout.DecodeValues).GetEnumerator();
        foreach (var (name, leaves) in folder.ReadAll(ArchiveLayout.Entries, count, ArchiveLayout.DecodeLeaves))
        {
            _ = hashes.MoveNext() & values.MoveNext();
            for (var i = 0; i < leaves.Count; i++)
            {
                var (key, digest) = leaves[i];
                var entry = new Entry(key, values.Current.Records[i]);
                yield return MerkleHash.LogLeaf(key, digest) != hashes.Current.Records[i] ? throw Differ(hashes.Current.Name, name, i)
                    : entry.ValueDigest != digest ? throw Differ(values.Current.Name, name, i)
                    : entry;
            }
        }
    }

    private InvalidDataException Differ(string first, string second, int at) =>
        new($"{folder.PathOf(first)} and {folder.PathOf(second)} do not belong together: record {at} differs.");
}
