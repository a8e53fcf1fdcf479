using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Heads of logs proven consistent with the heads of revocations. The log supplies the proofs; they are verified here.</summary>
internal sealed class ProvenHeads
{
    /// <summary>Maximum remembered heads; decisions with votes under forgotten heads are made again.</summary>
    private const int MaxHeads = 10_000;

    private readonly Lock _turn = new();
    private readonly HashSet<(RevokedHead Revoked, long Size, Digest Root)> _proven = [];
    private readonly Queue<(RevokedHead Revoked, long Size, Digest Root)> _order = new();

    /// <summary>Whether a head is known to be consistent with a revocation's head.</summary>
    /// <param name="revoked">The revocation's head.</param>
    /// <param name="size">Size of the other head.</param>
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

    /// <summary>Requests a proof that a head is consistent with a revocation's. Returns null if it verifies, else the reason.</summary>
    /// <param name="revoked">The revocation's head.</param>
    /// <param name="head">The other head; null if not stored.</param>
    /// <param name="client">Client of the log.</param>
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
