using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Says which kept decisions must be made again because their NAR cannot be fetched. Renews each at most once a minute.</summary>
/// <param name="electorate">Knows which upstreams are down and which NARs are stored.</param>
/// <param name="budget">Bounds how often this proxy asks again.</param>
internal sealed class DecisionRenewals(Electorate electorate, AskingBudget budget) : IDisposable
{
    /// <summary>The shortest time between two renewals of one decision.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly MemoryCache _renewed = new(new MemoryCacheOptions { SizeLimit = 50_000 });

    /// <summary>Whether a kept decision is served as it is. One whose upstream is down is renewed first, at most once a minute.</summary>
    public bool Stands(StorePathDigest digest, Decision decision) => LeadsSomewhere(decision.Record) || WasRenewed(digest);

    /// <summary>Whether the NAR of a record can be fetched, as far as is known. When every upstream is down, no other choice is
    /// better.</summary>
    public bool LeadsSomewhere(DecisionRecord record)
    {
        if (record.Hints is not { Upstream: var name })
        {
            return true;
        }

        var areAllDown = true;
        foreach (var upstream in electorate.Upstreams)
        {
            var isDown = upstream.IsDown;
            if (!isDown && upstream.Options.Name == name)
            {
                return true;
            }

            areAllDown &= isDown;
        }

        return areAllDown || electorate.Store?.Holds(record) is true;
    }

    /// <summary>Begins a renewal; false when the digest was renewed within the last minute, or the budget is spent.</summary>
    public bool TryBegin(StorePathDigest digest)
    {
        if (WasRenewed(digest) || !budget.TryTake())
        {
            return false;
        }

        Note(digest);
        return true;
    }

    /// <summary>Notes that a digest was asked about again just now.</summary>
    public void Note(StorePathDigest digest) =>
        _renewed.Set(digest, true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Interval });

    public void Dispose() => _renewed.Dispose();

    private bool WasRenewed(StorePathDigest digest) => _renewed.TryGetValue(digest, out _);
}
