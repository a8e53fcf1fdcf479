using System.Collections.Immutable;
using Polly;
using Polly.Retry;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>The electors and upstreams queried about a digest, and the policy that judges their answers.</summary>
/// <param name="Electors">The electors of the policy, each with its client.</param>
/// <param name="Upstreams">The binary caches that supply names and NARs.</param>
/// <param name="BadNars">Upstreams that sent a wrong NAR, by path.</param>
/// <param name="Store">Verified NARs on this machine; null without a NAR store.</param>
internal sealed record Electorate(
    ImmutableArray<ElectorClient> Electors,
    ImmutableArray<Upstream> Upstreams,
    BadNarMemory BadNars,
    NarStore? Store,
    Policy Policy,
    TimeProvider Time)
{
    private static readonly RetryStrategyOptions UntilConclusive = new()
    {
        MaxRetryAttempts = int.MaxValue,
        Delay = TimeSpan.FromMilliseconds(100),
        MaxDelay = TimeSpan.FromMilliseconds(250),
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result is false),
    };

    /// <summary>Retries an elector until its answer is conclusive.</summary>
    internal ResiliencePipeline Retry { get; } = new ResiliencePipelineBuilder { TimeProvider = Time }.AddRetry(UntilConclusive).Build();

    /// <summary>Creates the poll of all electors for one digest.</summary>
    /// <param name="deadline">Maximum time to an outcome.</param>
    /// <param name="isHasty">Whether each elector is queried once, without retries.</param>
    public ElectorPoll Poll(StorePathDigest digest, TimeSpan deadline, bool isHasty = false) => new(this, digest, deadline, isHasty);
}
