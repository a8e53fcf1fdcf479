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

/// <summary>Rates of agreement between electors in the last week, by spans of two hours. In memory, and of no account for anything that
/// is decided.</summary>
internal sealed class AgreementHistory(TimeProvider time)
{
    /// <summary>Number of spans, and hours of each.</summary>
    public const int Spans = 84, Hours = 2;

    /// <summary>Maximum pairs that a span counts, for memory.</summary>
    private const int MaxPairs = 500;

    private readonly Lock _turn = new();
    private readonly (long Number, Dictionary<ElectorPair, AgreementRate> Rates)[] _spans =
        [.. Enumerable.Repeat((-1L, new Dictionary<ElectorPair, AgreementRate>()), Spans)];

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
            ref var span = ref _spans[number % Spans];
            span = span.Number == number ? span : (number, []);
            foreach (var (i, one) in claims.Index())
            {
                foreach (var other in claims.Skip(i + 1).Where(other => one.IsNew || other.IsNew))
                {
                    var pair = new ElectorPair(one.Elector, other.Elector);
                    if (span.Rates.ContainsKey(pair) || span.Rates.Count < MaxPairs)
                    {
                        span.Rates[pair] = span.Rates.GetValueOrDefault(pair) + new AgreementRate(one.Claim == other.Claim ? 1 : 0, 1);
                    }
                }
            }
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
