using System.Collections.Concurrent;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A cached refusal.</summary>
/// <param name="Gist">Outcome and proven claims; a refusal with an equal gist counts as unchanged.</param>
/// <param name="IsSettled">Whether all electors answered.</param>
/// <param name="Withholds">Whether a stored agreement exists that is not served because no upstream has its NAR.</param>
/// <param name="Bundle">Its proofs; null if no name was known.</param>
internal sealed record KeptRefusal(Decision Decision, string Gist, bool IsSettled, bool Withholds, Lazy<DecisionBundle>? Bundle)
{
    /// <summary>The refused path; null if no name was known. A retry starts with it, so that each log gets one query.</summary>
    public StorePath? Path { get; init; }

    public static string GistOf(Outcome outcome, Verdict? verdict) => string.Join(
        ' ', (verdict?.Answers ?? []).Where(answer => answer.Ballot is Ballot.Claimed)
            .Select(answer => $"{answer.Elector.Name}={((Ballot.Claimed)answer.Ballot).Claim.NarHash}").Prepend(outcome.Word()));
}

/// <summary>Caches refusals in bounded memory only: any client can cause any number, so none is written to disk or Redis.</summary>
/// <remarks>A refusal expires after <see cref="Young"/>. Each unchanged retry doubles its lifetime, up to <see cref="Oldest"/>; news (a
/// log's new head, an upstream's change) resets it. One for want of an upstream ends as soon as any upstream is back.</remarks>
/// <param name="news">Changes when a log has a new head or an upstream has changed.</param>
/// <param name="capacity">Maximum total bytes.</param>
internal sealed class RefusalMemory(News news, TimeProvider time, long capacity = RefusalMemory.Capacity)
{
    /// <summary>Initial lifetime of a refusal.</summary>
    public static readonly TimeSpan Young = TimeSpan.FromSeconds(2);

    /// <summary>Maximum lifetime of a refusal.</summary>
    public static readonly TimeSpan Oldest = TimeSpan.FromSeconds(60);

    private const long Capacity = 32 << 20;

    private const int EntrySize = 700, PathSize = 200, MaxBundles = 256;

    private readonly Lock _turn = new();
    private readonly Dictionary<StorePathDigest, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _order = new(); // the oldest first
    private readonly Queue<Entry> _withBundles = new(); // only the newest keep their proofs
    private readonly ConcurrentDictionary<string, bool> _withheld = new(StringComparer.Ordinal);
    private long _size, _changes;
    private volatile int _withheldCount;

    /// <summary>Current news value, to be read before a poll.</summary>
    public NewsMark News => news.Value;

    /// <summary>Estimated bytes in memory.</summary>
    public long Size
    {
        get
        {
            lock (_turn)
            {
                return _size;
            }
        }
    }

    /// <summary>Version, incremented when a refusal is added or removed; 0 before the first.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>Whether a digest was refused within the maximum lifetime.</summary>
    public bool IsRefused(StorePathDigest digest) => Look(digest) is { } entry && time.GetElapsedTime(entry.At) < Oldest;

    /// <summary>Returns the refusal of a digest at any age; null if there is none.</summary>
    public KeptRefusal? Find(StorePathDigest digest) => Look(digest)?.Refusal;

    /// <summary>Returns the refusal of a digest not yet due for a retry; null if there is none.</summary>
    public KeptRefusal? FindAlive(StorePathDigest digest) =>
        Look(digest) is { } entry && !IsOver(entry) && time.GetElapsedTime(entry.At) < (entry.News == News ? entry.Life : Young)
            ? entry.Refusal : null;

    /// <summary>Whether a digest was refused for want of an upstream, and one has come back since: the next request decides anew, once,
    /// whatever else is asked about again.</summary>
    public bool IsOver(StorePathDigest digest) => Look(digest) is { } entry && IsOver(entry);

    /// <summary>Whether an agreement on a digest is withheld for now. Allocation-free.</summary>
    public bool IsWithheld(ReadOnlySpan<char> digest) =>
        _withheldCount > 0 && _withheld.GetAlternateLookup<ReadOnlySpan<char>>().ContainsKey(digest);

    /// <summary>Stores a refusal.</summary>
    /// <param name="newsBefore"><see cref="News"/> read before the poll.</param>
    public void Keep(StorePathDigest digest, KeptRefusal refusal, NewsMark newsBefore)
    {
        lock (_turn)
        {
            var before = Drop(digest);
            var isUnchanged = refusal.IsSettled && before is { Refusal.IsSettled: true } && before.Refusal.Gist == refusal.Gist
                && before.News == newsBefore;
            var life = !isUnchanged ? Young : 2 * before!.Life < Oldest ? 2 * before.Life : Oldest;
            Add(new Entry(digest, refusal, life, newsBefore, time.GetTimestamp()));
        }
    }

    /// <summary>Updates a refusal with late answers, without extending its lifetime.</summary>
    public void Amend(StorePathDigest digest, KeptRefusal refusal)
    {
        lock (_turn)
        {
            if (Drop(digest) is { } before)
            {
                Add(before with { Refusal = refusal });
            }
        }
    }

    /// <summary>Removes the refusal of a digest.</summary>
    public void Forget(StorePathDigest digest)
    {
        lock (_turn)
        {
            Drop(digest);
        }
    }

    private bool IsOver(Entry entry) =>
        entry.Refusal.Decision.Record.Outcome is Outcome.NoUpstream && entry.News.Returns != News.Returns;

    private Entry? Look(StorePathDigest digest)
    {
        lock (_turn)
        {
            return _entries.GetValueOrDefault(digest)?.Value;
        }
    }

    private void Add(Entry entry)
    {
        _entries[entry.Digest] = _order.AddLast(entry);
        _size += SizeOf(entry);
        _changes++;
        if (entry.Refusal.Withholds)
        {
            _withheld[entry.Digest.ToString()] = true;
            _withheldCount = _withheld.Count;
        }

        while (_size > capacity && _order.First is { } oldest)
        {
            Drop(oldest.Value.Digest);
        }

        ShedBundles(entry);
    }

    private void ShedBundles(Entry entry)
    {
        if (entry.Refusal.Bundle is null)
        {
            return;
        }

        _withBundles.Enqueue(entry);
        if (_withBundles.Count > MaxBundles && _withBundles.Dequeue() is var old && _entries.GetValueOrDefault(old.Digest) is { } node
            && ReferenceEquals(node.Value, old))
        {
            node.Value = old with { Refusal = old.Refusal with { Bundle = null } };
        }
    }

    private Entry? Drop(StorePathDigest digest)
    {
        if (!_entries.Remove(digest, out var node))
        {
            return null;
        }

        _order.Remove(node);
        _size -= SizeOf(node.Value);
        _changes++;
        if (node.Value.Refusal.Withholds && _withheld.TryRemove(digest.ToString(), out _))
        {
            _withheldCount = _withheld.Count;
        }

        return node.Value;
    }

    private static int SizeOf(Entry entry) =>
        EntrySize + (2 * entry.Refusal.Decision.Record.Sentence.Length) + (2 * entry.Refusal.Gist.Length)
            + entry.Refusal.Decision.Body.Length
        + (entry.Refusal.Path is { Name: var name } ? PathSize + (4 * name.Length) : 0)
        + (entry.Refusal.Decision.Wanted?.Size ?? 0);

    /// <param name="Life">Lifetime while there is no news.</param>
    /// <param name="News">News value before the poll.</param>
    /// <param name="At">Time of storage, as a timestamp of the clock.</param>
    private sealed record Entry(StorePathDigest Digest, KeptRefusal Refusal, TimeSpan Life, NewsMark News, long At);
}
