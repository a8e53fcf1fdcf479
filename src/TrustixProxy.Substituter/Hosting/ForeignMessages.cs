using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.IO.Redis;
using TrustixProxy.Logs.Mirrors;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Names the messages of this room that clients, upstreams, logs, peers or other replicas can cause as often as they
/// like.</summary>
/// <remarks>Refusals have a bound of their own: <see cref="RefusalReports"/>; so have changes of an upstream's state:
/// <see cref="UpstreamHealth"/>.</remarks>
internal static class ForeignMessages
{
    private static readonly string[] Events =
    [
        nameof(EvidenceLog.HeadRefused), nameof(EvidenceLog.LateDissent), nameof(EvidenceLog.GossipFailed), nameof(MirrorLog.MirrorFails),
        nameof(DecisionLog.RecordRefused), nameof(DecisionLog.DecidingFailed), nameof(DeliveryLog.DeliveryFailed),
        nameof(UpstreamLog.NarRefused), nameof(UpstreamLog.ProbingFailed), nameof(NarStoreLog.NoRoom), nameof(NarStoreLog.Unreadable),
        nameof(ReplicasLog.RedisNotReached), nameof(ReplicasLog.RedisRefused), nameof(ReplicasLog.RedisFailed),
            nameof(RevocationLog.RevocationsForged),
    ];

    /// <summary>A logger that writes each of them at most once a minute.</summary>
    public static ILogger Limit(ILogger logger, TimeProvider time) => new LimitedLogger(logger, Events, time);
}
