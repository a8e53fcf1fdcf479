using System.Collections.Concurrent;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Keeps requested decisions with their rendered answers in memory, within a byte limit.</summary>
/// <remarks>Evicts in insertion order with a second chance for entries read since the last pass. Reads take no lock, allocate nothing, and
/// write at most a flag.</remarks>
/// <param name="capacity">Maximum total bytes.</param>
internal sealed class DecisionMemory(long capacity)
{
    private readonly ConcurrentDictionary<string, LinkedListNode<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _turns = new(); // in eviction order
    private readonly Lock _turning = new();
    private long _size, _version;

    /// <summary>Version, incremented with every change; data read under an older version may be stale.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>Estimated bytes in memory.</summary>
    public long Size => Interlocked.Read(ref _size);

    /// <summary>Returns the decision on a digest; null if not in memory.</summary>
    public Decision? Find(ReadOnlySpan<char> digest)
    {
        if (!_entries.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(digest, out var node))
        {
            return null;
        }

        if (!node.Value.IsRead)
        {
            node.Value.IsRead = true;
        }

        return node.Value.Decision;
    }

    /// <summary>Adds or replaces the decision on a digest. One larger than the capacity is not stored.</summary>
    public void Set(StorePathDigest digest, Decision decision)
    {
        lock (_turning)
        {
            _version++;
            Put(digest.ToString(), decision);
        }
    }

    /// <summary>Adds a decision read from another store, unless anything changed since.</summary>
    /// <param name="version">Version before the read.</param>
    public void Refill(StorePathDigest digest, Decision decision, long version)
    {
        lock (_turning)
        {
            if (_version == version)
            {
                Put(digest.ToString(), decision);
            }
        }
    }

    /// <summary>Drops the decision on a digest.</summary>
    public void Remove(StorePathDigest digest)
    {
        lock (_turning)
        {
            _version++;
            Drop(digest.ToString());
        }
    }

    private void Put(string digest, Decision decision)
    {
        Drop(digest);
        if (decision.Size > capacity)
        {
            return;
        }

        _entries[digest] = _turns.AddLast(new Entry(digest, decision));
        _size += decision.Size;
        while (_size > capacity)
        {
            MoveOrEvictFirst();
        }
    }

    private void Drop(string digest)
    {
        if (_entries.TryRemove(digest, out var node))
        {
            _turns.Remove(node);
            _size -= node.Value.Decision.Size;
        }
    }

    /// <summary>Moves the first entry to the end if it was read, else evicts it.</summary>
    private void MoveOrEvictFirst()
    {
        var first = _turns.First!;
        if (first.Value.IsRead)
        {
            first.Value.IsRead = false;
            _turns.RemoveFirst();
            _turns.AddLast(first);
        }
        else
        {
            Drop(first.Value.Digest);
        }
    }

    private sealed class Entry(string digest, Decision decision)
    {
        public string Digest => digest;

        public Decision Decision => decision;

        public volatile bool IsRead;
    }
}
