using System.Collections.Concurrent;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decisions with the answers that were made of them, in memory: those that are asked for, within a number of bytes.</summary>
/// <remarks>They leave in the order in which they came, but one that was read since its last turn has another (second chance). A read takes
/// no lock, makes no garbage, and writes a flag at the most.</remarks>
/// <param name="capacity">The most bytes that they take.</param>
internal sealed class DecisionMemory(long capacity)
{
    private readonly ConcurrentDictionary<string, LinkedListNode<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _turns = new(); // whose turn to leave is first
    private readonly Lock _turning = new();
    private long _size, _version;

    /// <summary>Goes up with every change: what was read from elsewhere under an older one may be out of date.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>How many bytes they take, as far as can be told.</summary>
    public long Size => Interlocked.Read(ref _size);

    /// <summary>The decision on a digest; null when it is not here.</summary>
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

    /// <summary>Takes in a decision in the place of any other on that digest. One that is larger than all of the room is not
    /// kept.</summary>
    public void Set(StorePathDigest digest, Decision decision)
    {
        lock (_turning)
        {
            _version++;
            Put(digest.ToString(), decision);
        }
    }

    /// <summary>Takes in a decision that was read from elsewhere, unless anything was changed since.</summary>
    /// <param name="digest">What it is on.</param>
    /// <param name="decision">The decision.</param>
    /// <param name="version">The version before it was read.</param>
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
            DecompressionSlot();
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

    /// <summary>The first goes to the end if it was read, and else is dropped.</summary>
    private void DecompressionSlot()
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
