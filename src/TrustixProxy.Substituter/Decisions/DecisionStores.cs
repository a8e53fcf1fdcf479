using System.Collections.Frozen;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Where decisions are kept beside memory.</summary>
/// <param name="Writer">Writes to the state database.</param>
/// <param name="Disk">The decisions in the state database.</param>
/// <param name="Audit">Records each signature.</param>
/// <param name="Shared">Decisions of other replicas; null when there are none.</param>
internal sealed record DecisionStores(StateWriter Writer, DecisionStore Disk, SignatureAudit Audit, SharedDecisions? Shared);

/// <summary>Under which trust decisions are made, and hold.</summary>
/// <param name="Policy">Who must agree.</param>
/// <param name="Seal">Makes and opens records of decisions.</param>
/// <param name="Signer">Signs narinfos of agreements.</param>
/// <param name="Frozen">Names of electors that are no longer believed; the same set while they are the same. Asked at every read.</param>
/// <param name="Revoked">What else is no longer believed. Asked at every read.</param>
/// <param name="ProvenHeads">Heads that were proven consistent with those of revocations.</param>
internal sealed record DecisionTrust(
    Policy Policy,
    DecisionSeal Seal,
    NarInfoSigner Signer,
    Func<FrozenSet<string>> Frozen,
    Func<StandingRevocations> Revoked,
    ProvenHeads ProvenHeads);
