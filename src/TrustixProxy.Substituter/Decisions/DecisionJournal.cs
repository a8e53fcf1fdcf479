using System.Collections.Concurrent;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decisions of this process that a person may ask about: how many by the minute for a day, and the latest, each path once. In
/// memory, bounded, and of no account for anything that is decided.</summary>
internal sealed class DecisionJournal(TimeProvider time)
{
    /// <summary>How many paths are remembered, and how many more that are disputed.</summary>
    private const int MaxPaths = 500, MaxDisputed = 200;

    private const int Minutes = 24 * 60;

    private readonly Lock _writing = new();
    private readonly Dictionary<StorePathDigest, LinkedListNode<JournalEntry>> _entries = [];
    private readonly LinkedList<JournalEntry> _plain = new(), _disputed = new(); // the newest first
    private readonly (long Minute, Dictionary<Outcome, int> Counts)[] _minutes = [
        .. Enumerable.Repeat((-1L, new Dictionary<Outcome, int>()), Minutes)];
    private readonly ConcurrentDictionary<string, AnswerHistory> _electors = new(StringComparer.Ordinal); // as many as were configured
    private long _version, _settled;

    /// <summary>Since when it is kept.</summary>
    public DateTimeOffset Since { get; } = time.GetUtcNow();

    /// <summary>How often electors agreed, over time; kept over restarts.</summary>
    public AgreementHistory Agreement { get; } = new(time);

    /// <summary>How long decisions took, over time, by outcome.</summary>
    public AnswerHistory Durations { get; } = new(time);

    /// <summary>The paths that were decided on last.</summary>
    public DecidedNames Names { get; } = new();

    /// <summary>Goes up with every change.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>Number of polls that were heard to their end.</summary>
    public long HeardOut => Interlocked.Read(ref _settled);

    /// <summary>Counts a decision.</summary>
    /// <param name="path">The path; null when nobody knows its name: then it is only counted.</param>
    /// <param name="outcome">What was decided.</param>
    /// <param name="sentence">The reason in one line.</param>
    /// <param name="verdict">Verdict on the electors' answers; null if no elector could be asked.</param>
    /// <param name="took">Time since the first query.</param>
    public void Decided(StorePathDigest digest, StorePath? path, Outcome outcome, string sentence, Verdict? verdict, TimeSpan took)
    {
        var (now, votes) = (time.GetUtcNow(), VotesOf(verdict));
        Durations.Add(outcome.Word(), took);
        lock (_writing)
        {
            var minute = now.ToUnixTimeSeconds() / 60;
            ref var slot = ref _minutes[minute % Minutes];
            if (slot.Minute != minute)
            {
                slot = (minute, []);
            }

            slot.Counts[outcome] = slot.Counts.GetValueOrDefault(outcome) + 1;
            if (path is not null)
            {
                Names.Add(path);
                Put(new JournalEntry(digest, path, outcome, sentence, now, votes) { Granted = verdict?.Granted });
            }

            _version++;
        }
    }

    /// <summary>Records the final answers: all electors answered, or the deadline passed.</summary>
    public void Settled(StorePathDigest digest, Settlement settlement)
    {
        ImmutableArray<AnswerText> votes = [.. VotesOf(settlement.All).Select(vote => HasBeenHeard(vote, settlement) ? vote
            : vote.AsNotHeard())];
        foreach (var vote in votes.Where(vote => vote.Kind is not VoteKind.NotHeard))
        {
            Of(vote.Elector).Add(Kebab.Of(vote.KindBeside(settlement.All.Granted)),
                settlement.Latencies.TryGetValue(vote.Elector, out var took) ? took : null);
        }

        Interlocked.Increment(ref _settled);
        lock (_writing)
        {
            if (_entries.TryGetValue(digest, out var node) && !node.Value.Votes.SequenceEqual(votes))
            {
                Put(node.Value.With(votes));
                _version++;
            }
        }
    }

    /// <summary>What an elector answered, over time, and how long it took.</summary>
    public AnswerHistory Of(string elector) => _electors.GetOrAdd(elector, _ => new AnswerHistory(time));

    /// <summary>Returns the last recorded decision on a digest; null if there is none.</summary>
    public JournalEntry? Find(StorePathDigest digest)
    {
        lock (_writing)
        {
            return _entries.GetValueOrDefault(digest)?.Value;
        }
    }

    /// <summary>Returns the recorded decisions, newest first.</summary>
    public IReadOnlyList<JournalEntry> List()
    {
        lock (_writing)
        {
            return [.. _plain.Concat(_disputed).OrderByDescending(entry => entry.At)];
        }
    }

    /// <summary>Counts decisions by outcome in consecutive time spans ending now, oldest first.</summary>
    /// <param name="spans">Number of spans.</param>
    /// <param name="minutes">Length of each span; together at most one day.</param>
    public IReadOnlyList<(DateTimeOffset From, IReadOnlyDictionary<Outcome, int> Counts)> Count(int spans, int minutes)
    {
        var first = (time.GetUtcNow().ToUnixTimeSeconds() / 60) + 1 - (spans * minutes);
        lock (_writing)
        {
            return
            [
                .. Enumerable.Range(0, spans).Select(span => first + (span * minutes)).Select(start => (
                    DateTimeOffset.FromUnixTimeSeconds(start * 60),
                    (IReadOnlyDictionary<Outcome, int>)Enumerable.Range(0, minutes).Select(i => start + i)
                        .Where(minute => _minutes[minute % Minutes].Minute == minute)
                        .SelectMany(minute => _minutes[minute % Minutes].Counts).GroupBy(count => count.Key)
                            .ToDictionary(group => group.Key, group => group.Sum(count => count.Value)))),
            ];
        }
    }

    /// <summary>Whether an elector has spoken, or was waited for as long as there is time.</summary>
    private static bool HasBeenHeard(AnswerText vote, Settlement settlement) =>
        vote.Kind is not VoteKind.Silent || settlement.IsHeardOut || settlement.Latencies.ContainsKey(vote.Elector);

    private static ImmutableArray<AnswerText> VotesOf(Verdict? verdict) =>
        verdict is null ? [] : [.. verdict.Answers.Select(AnswerText.Of)];

    private void Put(JournalEntry entry)
    {
        if (_entries.Remove(entry.Digest, out var known))
        {
            known.List!.Remove(known);
        }

        var before = known?.Value.Known ?? JournalEntry.None;
        entry = entry with { Known = before.SetItems(New(entry.Votes, before)) };
        Agreement.Compare(entry.Known, before);

        var (list, most) = entry.IsDisputed ? (_disputed, MaxDisputed) : (_plain, MaxPaths);
        _entries[entry.Digest] = list.AddFirst(entry);
        if (list.Count > most)
        {
            _entries.Remove(list.Last!.Value.Digest);
            list.RemoveLast();
        }
    }

    /// <summary>Returns the claims that are not known yet, with the time of now.</summary>
    private IEnumerable<KeyValuePair<string, KnownClaim>> New(
        ImmutableArray<AnswerText> votes, ImmutableSortedDictionary<string, KnownClaim> before)
    {
        var now = time.GetUtcNow();
        return votes.Where(vote => vote.Claim is not null && before.GetValueOrDefault(vote.Elector)?.Claim != vote.Claim)
            .Select(vote => KeyValuePair.Create(vote.Elector, new KnownClaim(vote.Claim!, now)));
    }
}
