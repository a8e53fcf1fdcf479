using System.Collections.Immutable;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>A file of the store, as this process knows it.</summary>
/// <param name="nar">What it must hold.</param>
/// <param name="size">Its length in bytes.</param>
/// <param name="isPinned">Whether it makes room for nothing.</param>
internal sealed class StoredNarEntry(StoredNar nar, long size, bool isPinned)
{
    public StoredNar Nar => nar;

    public long Size => size;

    public bool IsPinned => isPinned;

    /// <summary>The stamp of the file when this process last knew that it holds what it must; null before that.</summary>
    public FileStamp? Verified { get; set; }

    /// <summary>The hashing that is under way; null when none is.</summary>
    public Task? Verifying { get; set; }
}

/// <summary>Which files the store has, from the one whose use is longest ago to the one that was used last.</summary>
/// <param name="maxSize">The most bytes that all files may have together.</param>
/// <param name="pinned">Globs of the names of paths whose files stay.</param>
internal sealed class StoredNarIndex(long maxSize, ImmutableArray<string> pinned)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<StoredNarEntry> _byUse = new();
    private readonly Dictionary<StorePathDigest, List<LinkedListNode<StoredNarEntry>>> _byPath = [];
    private long _size;

    /// <summary>How many bytes all files have together.</summary>
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

    /// <summary>Adds a file that it does not have, as the one that was used last.</summary>
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

    /// <summary>The first file of a path that fits; null when there is none.</summary>
    public StoredNar? FindOf(StorePathDigest path, Func<StoredNar, bool> fits)
    {
        lock (_lock)
        {
            return _byPath.GetValueOrDefault(path)?.Find(node => fits(node.Value.Nar))?.Value.Nar;
        }
    }

    /// <summary>Says that a file was used just now.</summary>
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

    /// <summary>The fewest files that have to go, oldest use first, so that one more of this size fits. When even all that are not pinned
    /// would not do, that is all of them.</summary>
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
