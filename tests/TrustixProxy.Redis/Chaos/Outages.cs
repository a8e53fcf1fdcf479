using System.Collections.Concurrent;
using System.Diagnostics;

namespace TrustixProxy.Redis.Chaos;

/// <summary>Something that was broken for a while.</summary>
/// <param name="Part">What: <c>log alice</c>, <c>upstream main</c>, <c>replica 0</c>, <c>redis</c>.</param>
/// <param name="How">How it was broken.</param>
/// <param name="From">Since when: a timestamp of <see cref="Stopwatch"/>.</param>
internal sealed record Outage(string Part, string How, long From)
{
    private long _to = long.MaxValue;

    /// <summary>Until when; the end of time while it goes on.</summary>
    public long To => Volatile.Read(ref _to);

    public void End() => Volatile.Write(ref _to, Stopwatch.GetTimestamp());
}

/// <summary>All that was broken, and when: so that it can be said of a request whether it had to be answered.</summary>
internal sealed class Outages
{
    /// <summary>How long after an outage all has to be well again.</summary>
    private static readonly long Healing = 5 * Stopwatch.Frequency;

    private readonly ConcurrentQueue<Outage> _all = new();

    public IReadOnlyCollection<Outage> All => _all;

    public Outage Begin(string part, string how)
    {
        var outage = new Outage(part, how, Stopwatch.GetTimestamp());
        _all.Enqueue(outage);
        return outage;
    }

    /// <summary>Whether a part is broken now.</summary>
    public bool IsBroken(string part) => _all.Any(outage => outage.Part == part && outage.To is long.MaxValue);

    /// <summary>How many parts whose names begin so are broken now.</summary>
    public int CountBroken(string kind) =>
        _all.Where(outage => outage.To is long.MaxValue && outage.Part.StartsWith(kind, StringComparison.Ordinal))
        .Select(outage => outage.Part).Distinct().Count();

    /// <summary>How many of these parts were whole from five seconds before <paramref name="from"/> until <paramref name="to"/>.</summary>
    public int CountWhole(IEnumerable<string> parts, long from, long to)
    {
        var broken = Between(from, to).Select(outage => outage.Part).ToHashSet();
        return parts.Count(part => !broken.Contains(part));
    }

    /// <summary>Whether a part was stopped in that time: its own deadlines run on meanwhile, also those of polls that others
    /// joined.</summary>
    public bool WasStopped(string part, long from, long to) =>
        Between(from, to).Any(outage => outage.Part == part && outage.How.StartsWith("stopped", StringComparison.Ordinal));

    /// <summary>What was broken from five seconds before <paramref name="from"/> until <paramref name="to"/>.</summary>
    public IEnumerable<Outage> Between(long from, long to) => _all.Where(outage => outage.From <= to && outage.To >= from - Healing);
}
