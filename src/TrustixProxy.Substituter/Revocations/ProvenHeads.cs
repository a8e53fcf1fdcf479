using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Heads of logs that were proven consistent with the heads of revocations. Proofs come from the log itself and are verified
/// here.</summary>
internal sealed class ProvenHeads
{
    /// <summary>The most heads that are remembered; decisions on votes under older ones are made anew.</summary>
    private const int MaxHeads = 10_000;

    private readonly Lock _turn = new();
    private readonly HashSet<(RevokedHead Revoked, long Size, Digest Root)> _proven = [];
    private readonly Queue<(RevokedHead Revoked, long Size, Digest Root)> _order = new();

    /// <summary>Whether a head is known to be consistent with a revocation's.</summary>
    /// <param name="revoked">The revocation's head.</param>
    /// <param name="size">Size of the other head.</param>
    /// <param name="root">Its root; null when it is not known.</param>
    public bool Knows(RevokedHead revoked, long size, Digest? root)
    {
        if (root is not { } known || size == revoked.Size)
        {
            return root == revoked.Root;
        }

        lock (_turn)
        {
            return _proven.Contains((revoked, size, known));
        }
    }

    /// <summary>Has a log prove that a head is consistent with a revocation's; null when it is, else why that is not shown.</summary>
    /// <param name="revoked">The revocation's head.</param>
    /// <param name="head">The other head; null when it was not kept.</param>
    /// <param name="client">The log's calls.</param>
    /// <param name="cancellation">Ends the call.</param>
    public async Task<SilenceReason?> ProveAsync(
        RevokedHead revoked, VerifiedTreeHead? head, LogClient client, CancellationToken cancellation)
    {
        if (head is null || Knows(revoked, head.Content.TreeSize, head.Content.LogRoot))
        {
            return head is null ? SilenceReason.HeadInconsistent : null;
        }

        var other = new RevokedHead(head.Content.TreeSize, head.Content.LogRoot);
        if (other.Size == revoked.Size)
        {
            return SilenceReason.HeadInconsistent; // two roots of one size
        }

        var (older, newer) = other.Size < revoked.Size ? (other, revoked) : (revoked, other);
        if (older.Size > 0)
        {
            var call = await client.GetConsistencyProofAsync(older.Size, newer.Size, cancellation);
            if (call.Message is null || !WireMessage.TryReadNodes(call.Message, out var nodes)
                || !ConsistencyProof.TryVerify(older.Size, newer.Size, older.Root, newer.Root, nodes, out _))
            {
                return call.Message is null && call.Error is null ? call.Failure : SilenceReason.HeadInconsistent;
            }
        }

        Remember((revoked, other.Size, other.Root));
        return null;
    }

    private void Remember((RevokedHead Revoked, long Size, Digest Root) proven)
    {
        lock (_turn)
        {
            if (_proven.Add(proven))
            {
                _order.Enqueue(proven);
            }

            if (_order.Count > MaxHeads)
            {
                _proven.Remove(_order.Dequeue());
            }
        }
    }
}
