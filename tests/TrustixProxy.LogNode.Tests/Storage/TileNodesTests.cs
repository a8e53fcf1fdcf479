using System.Runtime.InteropServices;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Tests.Storage;

public sealed class TileNodesTests
{
    [Fact]
    public void Proofs_through_tiles_in_memory_are_those_of_the_leaves_while_the_log_grows()
    {
        using var database = LogDatabase.OpenToWrite(Path.Combine(Directory.CreateTempSubdirectory("trustix-log-").FullName, "log.sqlite"));
        using var writer = new LogWriter(database, new LogSigner(NixSecretKey.Generate("x").Key), TimeProvider.System);
        writer.Begin();
        var leaves = new List<Digest>();
        foreach (var size in new[] { 4000, 4096, 4600, 4601 }) // a tile of the third level is full at 4,096
        {
            while (leaves.Count < size)
            {
                var batch = Enumerable.Range(leaves.Count, Math.Min(LogWriter.BatchSize, size - leaves.Count))
                    .Select(i => new Entry(BitConverter.GetBytes(i), [1])).ToList();
                leaves.AddRange(batch.Select(entry => MerkleHash.LogLeaf(entry.Key, entry.ValueDigest)));
                writer.Sequence(batch);
            }

            foreach (var index in new[] { 0, 17, 3999, size - 1, 0 })
            {
                var proof = database.Read(reader => MerkleTree.InclusionProof(index, size, TileNodes.Of(reader, Tree.Log)));

                Assert.Equal(MerkleTree.InclusionProof(index, size, (level, at) =>
                    MerkleTree.RootOf(CollectionsMarshal.AsSpan(leaves).Slice((int)(at << level), 1 << level))), proof);
            }
        }
    }
}
