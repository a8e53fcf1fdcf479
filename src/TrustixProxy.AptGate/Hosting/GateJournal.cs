using TrustixProxy.Apt;
using TrustixProxy.AptGate.Decisions;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>The latest decisions, for people.</summary>
internal sealed class GateJournal
{
    private const int MaxEntries = 500;

    private readonly Lock _lock = new();
    private readonly LinkedList<DebDecision> _latest = new(); // the newest first

    public void Add(DebDecision decision)
    {
        lock (_lock)
        {
            _latest.AddFirst(decision);
            if (_latest.Count > MaxEntries)
            {
                _latest.RemoveLast();
            }
        }
    }

    /// <summary>Lists them, the newest first.</summary>
    public IReadOnlyList<DebDecision> List()
    {
        lock (_lock)
        {
            return [.. _latest];
        }
    }

    /// <summary>The latest bundle on a file of this SHA-256; null when there is none.</summary>
    public DebBundle? Find(Digest sha256) => List().FirstOrDefault(decision => decision.Verdict.Asked.Sha256 == sha256)?.Bundle;
}
