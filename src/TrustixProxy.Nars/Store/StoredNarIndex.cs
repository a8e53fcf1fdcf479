using System.Collections.Immutable;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>A stored file, as this process knows it.</summary>
/// <param name="nar">The file's required contents.</param>
/// <param name="size">Length in bytes.</param>
/// <param name="isPinned">Whether it is never evicted.</param>
internal sealed class StoredNarEntry(StoredNar nar, long size, bool isPinned)
{
    public StoredNar Nar => nar;

    public long Size => size;

    public bool IsPinned => isPinned;

    /// <summary>The file's stamp when this process last verified it; null before that.</summary>
    public FileStamp? Verified { get; set; }

    /// <summary>The hashing in flight; null when none is.</summary>
    public Task? Verifying { get; set; }
}

/// <summary>Indexes the store's files, least recently used first.</summary>
/// <param name="maxSize">Maximum total size of all files, in bytes.</param>
/// <param name="pinned">Globs of the names of paths that are never evicted.</param>
internal sealed class StoredNarIndex(long maxSize, ImmutableArray<string> pinned)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<StoredNarEntry> _byUse = new();
    private readonly Dictionary<StorePathDigest, List<LinkedListNode<StoredNarEntry>>> _byPath = [];
    private long _size;

    /// <summary>Total size of all files, in bytes.</summary>
    public long Size
    {
        get
        {
            lock (_lock)
            {
                return _size;
            }
        }
    }

    /// <summary>Adds a new file as the most recently used.</summary>
    public StoredNarEntry Add(StoredNar nar, long size)
    {
        var entry = new StoredNarEntry(nar, size, pinned.Any(glob => NameGlob.Matches(glob, nar.Path)));
        lock (_lock)
        {
            _size += size;
            if (!_byPath.TryGetValue(nar.Path.Digest, out var files))
            {
                _byPath[nar.Path.Digest] = files = [];
            }

            files.Add(_byUse.AddLast(entry));
        }

        return entry;
    }

    public void Remove(StoredNar nar)
    {
        lock (_lock)
        {
            if (NodeOf(nar) is not { } node)
            {
                return;
            }

            _size -= node.Value.Size;
            _byUse.Remove(node);
            var files = _byPath[nar.Path.Digest];
            files.Remove(node);
            if (files.Count is 0)
            {
                _byPath.Remove(nar.Path.Digest);
            }
        }
    }

    public StoredNarEntry? Find(StoredNar nar)
    {
        lock (_lock)
        {
            return NodeOf(nar)?.Value;
        }
    }

    /// <summary>Finds the first matching file of a path; null when there is none.</summary>
    public StoredNar? FindOf(StorePathDigest path, Func<StoredNar, bool> fits)
    {
        lock (_lock)
        {
            return _byPath.GetValueOrDefault(path)?.Find(node => fits(node.Value.Nar))?.Value.Nar;
        }
    }

    /// <summary>Marks a file as the most recently used.</summary>
    public void Touch(StoredNar nar)
    {
        lock (_lock)
        {
            if (NodeOf(nar) is { } node)
            {
                _byUse.Remove(node);
                _byUse.AddLast(node);
            }
        }
    }

    /// <summary>Returns the fewest files to evict, least recently used first, so that one more of this size fits. If evicting all unpinned
    /// files is not enough, returns all of them.</summary>
    public IReadOnlyList<StoredNarEntry> Excess(long size, out bool isEnough)
    {
        lock (_lock)
        {
            var tooMuch = _size + size - maxSize;
            var victims = new List<StoredNarEntry>();
            for (var node = _byUse.First; node is not null && tooMuch > 0; node = node.Next)
            {
                if (!node.Value.IsPinned)
                {
                    victims.Add(node.Value);
                    tooMuch -= node.Value.Size;
                }
            }

            isEnough = tooMuch <= 0;
            return victims;
        }
    }

    private LinkedListNode<StoredNarEntry>? NodeOf(StoredNar nar) =>
        _byPath.GetValueOrDefault(nar.Path.Digest)?.Find(node => node.Value.Nar == nar);
}
