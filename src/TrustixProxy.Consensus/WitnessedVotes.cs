using System.Collections.Frozen;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Consensus;

/// <summary>Says how long kept votes of logs count whose heads must be witnessed: as long as a fresh answer could.</summary>
/// <remarks>A vote counts until the newest cosignature of its head is too old. It counts further while witnesses have lately cosigned a
/// head of that log that is as large or larger: that head continues the vote's, so a fresh answer would be witnessed.</remarks>
/// <param name="policy">The policy, whose logs say which witnesses they demand, and how lately.</param>
/// <param name="seenAt">When witnesses last cosigned a known head of a log, by its name, of at least this size; null for none.</param>
public sealed class WitnessedVotes(Policy policy, Func<string, long, DateTimeOffset?> seenAt)
{
    private readonly FrozenDictionary<string, WitnessDemand> _demands = policy.Electors.OfType<Elector.Log>()
        .Where(log => log.Witnesses is not null).ToFrozenDictionary(log => log.Name, log => log.Witnesses!);

    /// <summary>Whether any log's heads must be witnessed.</summary>
    public bool AreDemanded => _demands.Count > 0;

    /// <summary>Returns the last time at which a kept vote counts, as far as is known now.</summary>
    public DateTimeOffset CountsUntil(Vote vote)
    {
        if (!_demands.TryGetValue(vote.Elector, out var demand))
        {
            return DateTimeOffset.MaxValue;
        }

        DateTimeOffset?[] times = [vote.Position?.WitnessedAt, seenAt(vote.Elector, vote.Position?.HeadSize ?? long.MaxValue)];
        return times.Max() is not { } newest ? DateTimeOffset.MinValue
            : demand.Within is { } within && within < DateTimeOffset.MaxValue - newest ? newest + within : DateTimeOffset.MaxValue;
    }
}
