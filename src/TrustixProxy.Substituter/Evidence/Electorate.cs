using System.Collections.Immutable;
using Polly;
using Polly.Retry;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Everyone who is asked about a digest, and the policy that judges their answers.</summary>
/// <param name="Electors">The electors of the policy, each with the client that asks it.</param>
/// <param name="Upstreams">The binary caches that give names and NARs.</param>
/// <param name="Marks">Which upstreams sent a wrong NAR of which path.</param>
/// <param name="Store">Verified NARs on this machine; null when none are kept.</param>
/// <param name="Policy">Who must agree.</param>
/// <param name="Time">The clock.</param>
internal sealed record Electorate(
    ImmutableArray<ElectorClient> Electors,
    ImmutableArray<Upstream> Upstreams,
    BadNarMemory Marks,
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

    /// <summary>Asks an elector again until its answer is conclusive.</summary>
    internal ResiliencePipeline Retry { get; } = new ResiliencePipelineBuilder { TimeProvider = Time }.AddRetry(UntilConclusive).Build();

    /// <summary>Prepares to ask everyone about one digest.</summary>
    /// <param name="digest">The digest.</param>
    /// <param name="deadline">How long an outcome may take.</param>
    /// <param name="isHasty">Whether each is asked once, and one that fails is not asked again.</param>
    public ElectorPoll Poll(StorePathDigest digest, TimeSpan deadline, bool isHasty = false) => new(this, digest, deadline, isHasty);
}
