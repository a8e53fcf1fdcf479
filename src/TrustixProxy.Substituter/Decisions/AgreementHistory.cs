using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Two electors, in the order of their names.</summary>
internal readonly record struct ElectorPair(string One, string Other);

/// <summary>How often two electors that both proved a claim for a path proved the same.</summary>
/// <param name="Same">Number of paths with the same claim.</param>
/// <param name="All">Number of paths.</param>
internal readonly record struct AgreementRate(int Same, int All)
{
    /// <summary>The rate in percent, rounded down; 100 only if they agreed about all.</summary>
    public int Percent => All is 0 ? 0 : (int)(100L * Same / All);

    public static AgreementRate operator +(AgreementRate one, AgreementRate other) => new(one.Same + other.Same, one.All + other.All);
}

/// <summary>Rates of a span of time.</summary>
/// <param name="Rates">The rates by pair; empty if no answer was new.</param>
internal sealed record AgreementSpan(DateTimeOffset From, IReadOnlyDictionary<ElectorPair, AgreementRate> Rates);

/// <summary>Two claims about one path that were counted.</summary>
/// <param name="Hash">A hash of both claims and their electors.</param>
/// <param name="Span">The span that they were counted in.</param>
/// <param name="Pair">Their electors; only known to the process that counted.</param>
/// <param name="IsSame">Whether they are the same; as <paramref name="Pair"/>.</param>
internal readonly record struct CountedPair(long Hash, long Span, ElectorPair Pair = default, bool IsSame = false);

/// <summary>Rates of agreement between electors in the last week, by spans of two hours. No decision depends on them.</summary>
/// <remarks>Two claims count once in a week, however often they are heard, also over restarts: short hashes of what was counted are kept
/// with the rates.</remarks>
internal sealed class AgreementHistory(TimeProvider time)
{
    /// <summary>Number of spans, and hours of each.</summary>
    public const int Spans = 84, Hours = 2;

    /// <summary>Maximum pairs that a span counts, for memory.</summary>
    private const int MaxPairs = 500;

    /// <summary>Maximum pairs of claims that are remembered as counted; beyond, the oldest may count again.</summary>
    private const int MaxCounted = 50_000;

    private readonly Lock _turn = new();
    private readonly (long Number, Dictionary<ElectorPair, AgreementRate> Rates)[] _spans =
        [.. Enumerable.Repeat((-1L, new Dictionary<ElectorPair, AgreementRate>()), Spans)];

    private readonly Dictionary<long, long> _counted = []; // the span by the hash of two claims
    private readonly List<CountedPair> _unwritten = [];
    private bool _isRestored;
    private long _version;

    /// <summary>Incremented by every change.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>The oldest span that is kept.</summary>
    public long Oldest => Now - Spans + 1;

    private long Now => time.GetUtcNow().ToUnixTimeSeconds() / (Hours * 3600);

    /// <summary>Counts the pairs of claims about one path of which one is new.</summary>
    /// <param name="known">The claims by elector.</param>
    /// <param name="before">The claims that were counted before.</param>
    public void Compare(ImmutableSortedDictionary<string, KnownClaim> known, ImmutableSortedDictionary<string, KnownClaim> before)
    {
        if (known == before)
        {
            return;
        }

        var claims = known.Select(one => (
            Elector: one.Key, one.Value.Claim, IsNew: before.GetValueOrDefault(one.Key)?.Claim != one.Value.Claim)).ToList();
        lock (_turn)
        {
            var number = Now;
            foreach (var (i, one) in claims.Index())
            {
                foreach (var other in claims.Skip(i + 1).Where(other => one.IsNew || other.IsNew))
                {
                    var pair = new ElectorPair(one.Elector, other.Elector);
                    Count(new CountedPair(HashOf(pair, one.Claim, other.Claim), number, pair, one.Claim == other.Claim));
                }
            }
        }
    }

    /// <summary>Adds what an earlier process counted; what both have counted counts once.</summary>
    /// <param name="counted">The pairs of claims that the rates consist of.</param>
    public void Restore(IEnumerable<AgreementRow> rows, IEnumerable<CountedPair> counted)
    {
        lock (_turn)
        {
            foreach (var row in rows.Where(row => IsKept(row.Span)))
            {
                Add(row.Span, row.Pair, row.Rate);
            }

            var early = _unwritten.DistinctBy(pair => pair.Hash).ToDictionary(pair => pair.Hash);
            foreach (var pair in counted.Where(pair => IsKept(pair.Span)).Take(MaxCounted))
            {
                _counted[pair.Hash] = pair.Span;
                if (!_isRestored && early.TryGetValue(pair.Hash, out var again))
                {
                    Add(again.Span, again.Pair, new AgreementRate(again.IsSame ? -1 : 0, -1));
                    _unwritten.Remove(again);
                }
            }

            _isRestored = true;
        }
    }

    /// <summary>Takes the pairs of claims that were counted since the last call, to be written with <see cref="Newest"/>.</summary>
    public IReadOnlyList<CountedPair> TakeCounted()
    {
        lock (_turn)
        {
            CountedPair[] taken = [.. _unwritten];
            _unwritten.Clear();
            return taken;
        }
    }

    /// <summary>Returns the rates that can have changed lately: those of the newest two spans.</summary>
    public IReadOnlyList<AgreementRow> Newest()
    {
        lock (_turn)
        {
            var now = Now;
            return [.. _spans.Where(span => span.Number >= now - 1)
                .SelectMany(span => span.Rates.Select(rate => new AgreementRow(span.Number, rate.Key, rate.Value)))];
        }
    }

    private bool IsKept(long span) => span >= Oldest && span <= Now;

    private static long HashOf(ElectorPair pair, OutputClaim one, OutputClaim other) => BinaryPrimitives.ReadInt64BigEndian(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{pair.One}\n{one.Fingerprint}\n{pair.Other}\n{other.Fingerprint}")));

    /// <summary>Counts two claims, unless they were counted in the last week.</summary>
    private void Count(CountedPair counted)
    {
        if (_counted.TryGetValue(counted.Hash, out var span) && IsKept(span))
        {
            return;
        }

        if (_counted.Count >= MaxCounted)
        {
            foreach (var hash in _counted.OrderBy(known => known.Value).Take(MaxCounted / 10).Select(known => known.Key).ToList())
            {
                _counted.Remove(hash);
            }
        }

        if (Add(counted.Span, counted.Pair, new AgreementRate(counted.IsSame ? 1 : 0, 1)))
        {
            _counted[counted.Hash] = counted.Span;
            if (_unwritten.Count < MaxCounted)
            {
                _unwritten.Add(counted);
            }
        }
    }

    private bool Add(long number, ElectorPair pair, AgreementRate rate)
    {
        ref var span = ref _spans[number % Spans];
        span = span.Number == number ? span : (number, []);
        var isKnown = span.Rates.TryGetValue(pair, out var known);
        if (!isKnown && span.Rates.Count >= MaxPairs)
        {
            return false;
        }

        span.Rates[pair] = known + rate;
        if (span.Rates[pair].All is 0)
        {
            span.Rates.Remove(pair);
        }

        _version++;
        return true;
    }

    /// <summary>Returns the rates of the last week, oldest first; a span without paths has no rates.</summary>
    public IReadOnlyList<AgreementSpan> List()
    {
        lock (_turn)
        {
            var now = Now;
            return
            [
                .. Enumerable.Range(0, Spans).Select(i => now - Spans + 1 + i).Select(number => new AgreementSpan(
                    DateTimeOffset.FromUnixTimeSeconds(number * Hours * 3600), _spans[number % Spans] is var span && span.Number == number
                        ? new Dictionary<ElectorPair, AgreementRate>(span.Rates) : [])),
            ];
        }
    }
}
