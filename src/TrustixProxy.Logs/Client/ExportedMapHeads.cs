using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Client;

/// <summary>Reads the map-head log of an exported log as far as needed. Keeps its right edge, so that later proofs read only
/// additions.</summary>
internal sealed class ExportedMapHeads
{
    private Digest[] _edge = new Digest[64];
    private long _size;

    /// <summary>Builds a consistency proof between two sizes.</summary>
    /// <param name="wanted">The subtrees that make up the proof.</param>
    /// <param name="leavesOf">Reads the leaves of one file.</param>
    public async Task<Digest[]> ProveAsync(
        long older, long newer, HashSet<(int Level, long Index)> wanted, Func<long, Task<List<Digest>>> leavesOf)
    {
        if (_size > older)
        {
            (_edge, _size) = (new Digest[64], 0);
        }

        await ReadAsync(older, (_, _, _) => { }, leavesOf); // kept even if the rest fails
        var (edge, nodes) = ((Digest[])_edge.Clone(), new Dictionary<(int Level, long Index), Digest>());
        for (var level = 0; level < edge.Length - 1 && older >> level > 0; level++)
        {
            if ((older >> level & 1) is 1)
            {
                nodes[(level, (older >> level) - 1)] = edge[level];
            }
        }

        try
        {
            await ReadAsync(newer, (level, index, hash) =>
            {
                if (wanted.Contains((level, index)))
                {
                    nodes[(level, index)] = hash;
                }
            }, leavesOf);
        }
        finally
        {
            (_edge, _size) = (edge, older); // the caller has not verified the newer size yet
        }

        return MerkleTree.ConsistencyProof(older, newer, (level, index) => nodes[(level, index)]);
    }

    private async Task ReadAsync(long to, Action<int, long, Digest> keep, Func<long, Task<List<Digest>>> leavesOf)
    {
        while (_size < to)
        {
            var leaves = await leavesOf(_size / ArchiveLayout.Width);
            foreach (var leaf in leaves.Skip((int)(_size % ArchiveLayout.Width)).Take((int)Math.Min(ArchiveLayout.Width, to - _size)))
            {
                var top = (Level: 0, Hash: leaf);
                MerkleTree.Append(_size, leaf, (level, _) => _edge[level], (level, index, hash) =>
                {
                    top = (level, hash);
                    keep(level, index, hash);
                });
                _edge[top.Level] = top.Hash;
                _size++;
            }
        }
    }
}
