using System.Text;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Proves an entry to readers of C2SP's tlog-proof, without the log's node: <c>log proof</c>.</summary>
public static class LogProof
{
    /// <summary>Maximum size of a value that a proof file carries, in bytes.</summary>
    private const int MaxValue = EntryBundle.MaxEntry;

    /// <summary>Makes the proof of a path's entry under the newest head that readers may see; null when there is no such entry.</summary>
    /// <remarks>The proven entry is key, colon and SHA-256(value). The proof's extra data is the value, unless it is too long.</remarks>
    /// <param name="stateDirectory">The node's state directory; a node may be running there.</param>
    /// <param name="log">The log; it has an origin.</param>
    /// <param name="path">The path.</param>
    /// <exception cref="FileNotFoundException">The log has no file there.</exception>
    /// <exception cref="InvalidDataException">The file is not a log's.</exception>
    public static TlogProof? Make(string stateDirectory, HostedLogOptions log, StorePath path)
    {
        var notes = new HeadNoteSigner(log.Origin!, log.Signer);
        using var database = LogDatabase.OpenToRead(LogStore.PathOf(stateDirectory, log));
        return database.Read(reader =>
        {
            var (head, cosigned) = reader.VisibleHead();
            var map = reader.FindMap(WireNumber.OfOurs(head.MHTreeSize))
                ?? throw new InvalidDataException($"The map of the newest head of {log.Name} is missing: log fsck shows the damage.");
            if (!map.TryFind(Digest.Of(Encoding.ASCII.GetBytes(path.Absolute)), out var leaf))
            {
                return null;
            }

            var value = reader.FindEntry(leaf.Index)!.Value;
            var inclusion = MerkleTree.InclusionProof(leaf.Index, WireNumber.OfOurs(head.TreeSize), TileNodes.Of(reader, Tree.Log));
            return new TlogProof(value.Length > MaxValue ? null : (ReadOnlyMemory<byte>?)value, leaf.Index, [.. inclusion],
                notes.SignOnDemand(head, cosigned).Value.Log);
        });
    }
}
