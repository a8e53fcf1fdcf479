using System.Collections.Immutable;
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

/// <summary>Rates of agreement between electors in the last week, by spans of two hours. No decision depends on them.</summary>
internal sealed class AgreementHistory(TimeProvider time)
{
    /// <summary>Number of spans, and hours of each.</summary>
    public const int Spans = 84, Hours = 2;

    /// <summary>Maximum pairs that a span counts, for memory.</summary>
    private const int MaxPairs = 500;

    private readonly Lock _turn = new();
    private readonly (long Number, Dictionary<ElectorPair, AgreementRate> Rates)[] _spans =
        [.. Enumerable.Repeat((-1L, new Dictionary<ElectorPair, AgreementRate>()), Spans)];

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
                    Add(number, new ElectorPair(one.Elector, other.Elector), new AgreementRate(one.Claim == other.Claim ? 1 : 0, 1));
                }
            }
        }
    }

    /// <summary>Adds what an earlier process counted.</summary>
    public void Restore(IEnumerable<AgreementRow> rows)
    {
        lock (_turn)
        {
            foreach (var row in rows.Where(row => row.Span >= Oldest && row.Span <= Now))
            {
                Add(row.Span, row.Pair, row.Rate);
            }
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

    private void Add(long number, ElectorPair pair, AgreementRate rate)
    {
        ref var span = ref _spans[number % Spans];
        span = span.Number == number ? span : (number, []);
        if (span.Rates.ContainsKey(pair) || span.Rates.Count < MaxPairs)
        {
            span.Rates[pair] = span.Rates.GetValueOrDefault(pair) + rate;
            _version++;
        }
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
