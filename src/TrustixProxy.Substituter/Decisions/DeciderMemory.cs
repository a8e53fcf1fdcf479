using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Stored decisions.</summary>
/// <param name="Cache">Agreements, in memory and on disk.</param>
/// <param name="Refusals">Refusals, in memory only.</param>
/// <param name="Shared">Decisions of other replicas; null when there are none.</param>
/// <param name="Journal">Keeps the last decisions for display.</param>
internal sealed record DeciderMemory(DecisionCache Cache, RefusalMemory Refusals, SharedDecisions? Shared, DecisionJournal Journal)
{
    /// <summary>The work list, from which decided paths are removed; null without one.</summary>
    public WantedTable? Wanted { get; init; }
}
