using System.Collections.Concurrent;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A refusal as it is remembered.</summary>
/// <param name="Decision">The refusal.</param>
/// <param name="Gist">What must be the same for the refusal to count as unchanged: its word and the claims that were proven.</param>
/// <param name="IsSettled">Whether everyone had answered.</param>
/// <param name="Withholds">Whether an agreement is kept that is not served meanwhile, as no upstream has its NAR.</param>
/// <param name="Bundle">What it rests on; null when no name was known.</param>
internal sealed record KeptRefusal(Decision Decision, string Gist, bool IsSettled, bool Withholds, Lazy<DecisionBundle>? Bundle)
{
    /// <summary>The path that was refused; null when no name was known. Asking again begins with it, so that each log is asked one
    /// question.</summary>
    public StorePath? Path { get; init; }

    public static string GistOf(string word, Verdict? verdict) => string.Join(
        ' ', (verdict?.Answers ?? []).Where(answer => answer.Ballot is Ballot.Claimed)
            .Select(answer => $"{answer.Elector.Name}={((Ballot.Claimed)answer.Ballot).Claim.NarHash}").Prepend(word));
}

/// <summary>Refusals, in bounded memory only: any client can cause as many as it likes, so none is written to a disk or to Redis.</summary>
/// <remarks>A refusal lives for <see cref="Young"/>. Asked again unchanged, it lives twice as long each time, up to <see cref="Oldest"/>;
/// news (a log's new head, an upstream's change) makes it young again.</remarks>
/// <param name="news">Differs when a log has a new head or an upstream has changed.</param>
/// <param name="time">The clock.</param>
/// <param name="capacity">The most bytes that they take.</param>
internal sealed class RefusalMemory(Func<long> news, TimeProvider time, long capacity = RefusalMemory.Capacity)
{
    /// <summary>How long a young refusal lives.</summary>
    public static readonly TimeSpan Young = TimeSpan.FromSeconds(2);

    /// <summary>The longest that a refusal lives.</summary>
    public static readonly TimeSpan Oldest = TimeSpan.FromSeconds(60);

    private const long Capacity = 32 << 20;

    private const int EntrySize = 700, PathSize = 200, MaxBundles = 256;

    private readonly Lock _turn = new();
    private readonly Dictionary<StorePathDigest, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _order = new(); // the oldest first
    private readonly Queue<Entry> _withBundles = new(); // only the newest keep what they rest on
    private readonly ConcurrentDictionary<string, bool> _withheld = new(StringComparer.Ordinal);
    private long _size, _changes;
    private volatile int _withheldCount;

    /// <summary>What tells news from no news, to be read before asking.</summary>
    public long News => news();

    /// <summary>How many bytes they take, as far as can be told.</summary>
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

    /// <summary>Goes up whenever a refusal comes or goes; 0 while there was none.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>Whether a digest was refused within the longest time that a refusal lives.</summary>
    public bool IsRefused(StorePathDigest digest) => Look(digest) is { } entry && time.GetElapsedTime(entry.At) < Oldest;

    /// <summary>The refusal of a digest, whatever its age; null when there is none.</summary>
    public KeptRefusal? Find(StorePathDigest digest) => Look(digest)?.Refusal;

    /// <summary>The refusal of a digest that is not due to be asked about again; null when there is none.</summary>
    public KeptRefusal? FindAlive(StorePathDigest digest) =>
        Look(digest) is { } entry && time.GetElapsedTime(entry.At) < (entry.News == News ? entry.Life : Young) ? entry.Refusal : null;

    /// <summary>Whether an agreement on a digest is not served for now. Makes no garbage.</summary>
    public bool IsWithheld(ReadOnlySpan<char> digest) =>
        _withheldCount > 0 && _withheld.GetAlternateLookup<ReadOnlySpan<char>>().ContainsKey(digest);

    /// <summary>Keeps a refusal.</summary>
    /// <param name="digest">Whose.</param>
    /// <param name="refusal">The refusal.</param>
    /// <param name="newsBefore"><see cref="News"/> from before the asking.</param>
    public void Keep(StorePathDigest digest, KeptRefusal refusal, long newsBefore)
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

    /// <summary>Replaces a refusal by what was heard after it, without extending its life.</summary>
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

    /// <summary>Forgets the refusal of a digest.</summary>
    public void Forget(StorePathDigest digest)
    {
        lock (_turn)
        {
            Drop(digest);
        }
    }

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
        + (entry.Refusal.Path is { Name: var name } ? PathSize + (4 * name.Length) : 0);

    /// <param name="Digest">Whose.</param>
    /// <param name="Refusal">The refusal.</param>
    /// <param name="Life">How long it lives while there is no news.</param>
    /// <param name="News">What was new before the asking.</param>
    /// <param name="At">When it was kept, as a timestamp of the clock.</param>
    private sealed record Entry(StorePathDigest Digest, KeptRefusal Refusal, TimeSpan Life, long News, long At);
}
