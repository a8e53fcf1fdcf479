using System.Collections.Frozen;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Stores for decisions, in addition to memory.</summary>
/// <param name="Writer">Writes to the state database.</param>
/// <param name="Disk">The decisions in the state database.</param>
/// <param name="Audit">Records each signature.</param>
/// <param name="Shared">Decisions of other replicas; null when there are none.</param>
internal sealed record DecisionStores(StateWriter Writer, DecisionStore Disk, SignatureAudit Audit, SharedDecisions? Shared)
{
    /// <summary>Files of debug information.</summary>
    public DebugArchives Archives { get; } = new(Writer);
}

/// <summary>The trust under which decisions are made and stay valid.</summary>
/// <param name="Seal">Seals and opens decision records.</param>
/// <param name="Signer">Signs narinfos of agreements.</param>
/// <param name="Frozen">Names of frozen electors, read at every lookup; the same set object until it changes.</param>
/// <param name="Revoked">Current revocations, read at every lookup.</param>
/// <param name="ProvenHeads">Heads proven consistent with the heads of revocations.</param>
/// <param name="Witnessed">How long votes of witnessed logs count, read at every lookup.</param>
internal sealed record DecisionTrust(
    Policy Policy,
    DecisionSeal Seal,
    NarInfoSigner Signer,
    Func<FrozenSet<string>> Frozen,
    Func<StandingRevocations> Revoked,
    ProvenHeads ProvenHeads,
    WitnessedVotes Witnessed);
