using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Testing;

/// <summary>A log in memory that keeps every version of itself, so that it can be asked for, or lie about, any of them.</summary>
public sealed class MemoryLog
{
    private readonly Dictionary<(int, long), Digest> _log = [], _mapHeads = [];
    private readonly Dictionary<long, MapPage> _pages = [];
    private readonly Dictionary<Digest, long> _maps = [];
    private readonly Dictionary<Digest, (byte[] Key, MapEntry Entry)> _entries = [];
    private readonly Dictionary<Digest, byte[]> _mapValues = [];
    private long _map;

    public MemoryLog(LogSigner? signer = null)
    {
        Signer = signer ?? new LogSigner(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        Sign(default);
    }

    public LogSigner Signer { get; }

    public List<VerifiedTreeHead> Heads { get; } = [];

    /// <summary>Key and value digest of each leaf.</summary>
    public List<(byte[] Key, Digest ValueDigest)> Leaves { get; } = [];

    public Dictionary<Digest, byte[]> Values { get; } = [];

    public VerifiedTreeHead Head => Heads[^1];

    /// <summary>Adds an entry, and signs a head over it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="index">Which leaf the map says holds it; the true one when null.</param>
    public void Add(byte[] key, byte[] value, long? index = null)
    {
        var entry = new MapEntry(Digest.Of(value), index ?? Head.Content.TreeSize);
        var map = new SparseMerkleMap(number => _pages[number], _map);
        if (!map.TryFind(Digest.Of(key), out _))
        {
            map.Insert(LeafOf(key, entry));
            Keep(key, value, entry, map);
        }
    }

    /// <summary>Appends another value of a key, and has the map forget the one that it held, which no honest log does.</summary>
    public void Replace(byte[] key, byte[] value)
    {
        var entry = new MapEntry(Digest.Of(value), Head.Content.TreeSize);
        var map = new SparseMerkleMap(number => _pages[number], 0);
        foreach (var (other, held) in _entries.Values)
        {
            map.Insert(LeafOf(other, other.AsSpan().SequenceEqual(key) ? entry : held));
        }

        Keep(key, value, entry, map);
    }

    /// <summary>Appends an entry whether or not its key has one, and leaves the map as it is, which no honest log does.</summary>
    public void Repeat(byte[] key, byte[] value)
    {
        var digest = Digest.Of(value);
        Values[digest] = value;
        Leaves.Add((key, digest));
        Append(_log, Head.Content.TreeSize, MerkleHash.LogLeaf(key, digest));
        Sign(Head.Content.MapRoot);
    }

    /// <summary>Another log with the same key and the same past.</summary>
    public MemoryLog Fork(int heads)
    {
        var fork = new MemoryLog(Signer);
        foreach (var (key, entry) in _entries.Values.OrderBy(item => item.Entry.Index).Take(heads))
        {
            fork.Add(key, Values[entry.ValueDigest]);
        }

        return fork;
    }

    /// <summary>The hash of a leaf.</summary>
    public Digest Leaf(long index) => _log[(0, index)];

    public Digest[] ConsistencyProof(long older, long newer) => MerkleTree.ConsistencyProof(older, newer, Read(_log));

    public Digest[] MapHeadConsistencyProof(long older, long newer) => MerkleTree.ConsistencyProof(older, newer, Read(_mapHeads));

    /// <summary>The proof of the last leaf of the map-head log at a size: of the map root of the head that made it so large.</summary>
    public Digest[] MapRootProof(long size) => MerkleTree.InclusionProof(size - 1, size, Read(_mapHeads));

    public Digest[] InclusionProof(long index, long size) => MerkleTree.InclusionProof(index, size, Read(_log));

    /// <summary>The answer for a key at a map root; null when no version has that root.</summary>
    public MapValueResponse? MapValue(byte[] key, Digest root)
    {
        if (!_maps.TryGetValue(root, out var map))
        {
            return null;
        }

        var proof = new SparseMerkleMap(number => _pages[number], map).Prove(Digest.Of(key), out var leaf);
        return new MapValueResponse
        {
            Proof = proof.ToMessage(),
            Value = Google.Protobuf.ByteString.CopyFrom(leaf is { } found ? _mapValues[found.ValueHash] : [])
        };
    }

    private MapLeaf LeafOf(byte[] key, MapEntry entry)
    {
        var bytes = entry.ToBytes();
        _mapValues[Digest.Of(bytes)] = bytes;
        return new MapLeaf(Digest.Of(key), Digest.Of(bytes), entry.Index);
    }

    private void Keep(byte[] key, byte[] value, MapEntry entry, SparseMerkleMap map)
    {
        foreach (var (number, page) in map.Commit(_map + 1))
        {
            _pages.Add(number, page);
            _map = number;
        }

        (Values[entry.ValueDigest], _entries[Digest.Of(key)]) = (value, (key, entry));
        Leaves.Add((key, entry.ValueDigest));
        Append(_log, Head.Content.TreeSize, MerkleHash.LogLeaf(key, entry.ValueDigest));
        Sign(map.RootHash());
    }

    private void Sign(Digest mapRoot)
    {
        var heads = Heads.Count;
        Append(_mapHeads, heads, MerkleHash.MapHeadLeaf(mapRoot));
        var size = heads; // one head for each entry, and one before them
        _maps[mapRoot] = _map;
        Heads.Add(Signer.Sign(
            new TreeHead(MerkleTree.Root(size, Read(_log)), size, mapRoot, MerkleTree.Root(heads + 1, Read(_mapHeads)), heads + 1)));
    }

    private static void Append(Dictionary<(int, long), Digest> tree, long size, Digest leaf) =>
        MerkleTree.Append(size, leaf, Read(tree), (level, index, hash) => tree.Add((level, index), hash));

    private static FullSubtree Read(Dictionary<(int, long), Digest> tree) => (level, index) => tree[(level, index)];
}
