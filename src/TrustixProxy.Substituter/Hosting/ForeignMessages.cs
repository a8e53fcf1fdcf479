using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Logs.Mirrors;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Lists messages of this project that clients, upstreams, logs, peers or replicas can cause at any rate.</summary>
/// <remarks>Refusals have their own limit in <see cref="RefusalReports"/>, changes of upstream states in
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

    /// <summary>Creates a logger that writes each of them at most once a minute.</summary>
    public static ILogger Limit(ILogger logger, TimeProvider time) => new LimitedLogger(logger, Events, time);
}
