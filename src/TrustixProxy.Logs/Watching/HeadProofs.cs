using Google.Protobuf;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Watching;

/// <summary>Fetches the proofs that relate a new head to the known one.</summary>
internal static class HeadProofs
{
    /// <summary>Fetches the consistency proofs of both trees from the older head to the newer. A tree that did not grow needs none; on
    /// failure, returns the reason.</summary>
    public static async Task<(Digest[] Log, Digest[] MapHeads, SilenceReason? Failure)> FetchAsync(
        LogClient client, TreeHead older, TreeHead newer)
    {
        if (newer.TreeSize <= older.TreeSize)
        {
            return ([], [], null);
        }

        var log = client.GetConsistencyProofAsync(older.TreeSize, newer.TreeSize, CancellationToken.None);
        var mapHeads = older.MapHeadSize < newer.MapHeadSize
            ? client.GetMapHeadConsistencyProofAsync(older.MapHeadSize, newer.MapHeadSize, CancellationToken.None)
            : Task.FromResult(new CallResult<ProofResponse>(new ProofResponse(), default, null)); // rejected after the log's own proof
        var (logCall, mapHeadCall) = (await log, await mapHeads);
        return logCall.Message is null ? ([], [], logCall.Failure)
            : mapHeadCall.Message is null ? ([], [], mapHeadCall.Failure)
            : WireMessage.TryReadNodes(logCall.Message, out var logNodes)
                && WireMessage.TryReadNodes(mapHeadCall.Message, out var mapHeadNodes)
                ? (logNodes, mapHeadNodes, null)
            : ([], [], SilenceReason.HeadInconsistent);
    }

    /// <summary>Decodes the nodes of a proof.</summary>
    public static bool TryRead(IEnumerable<ByteString> nodes, out Digest[] digests)
    {
        var message = new ProofResponse();
        message.Proof.AddRange(nodes);
        return WireMessage.TryReadNodes(message, out digests);
    }

    /// <summary>Checks whether a head that does not continue the known one proves a rewritten past. Returns null when it does not, or the
    /// log gives no proof.</summary>
    /// <remarks>A consistency proof from a power of two takes the older root as given, so it cannot reveal a different one. The proof from
    /// one leaf more can.</remarks>
    public static async Task<LogFault?> FindRewrittenPastAsync(LogClient client, VerifiedTreeHead known, VerifiedTreeHead head)
    {
        var (older, newer) = (known.Content, head.Content);
        foreach (var isMapHeadLog in new[] { false, true })
        {
            var (first, second) = isMapHeadLog ? (older.MapHeadSize, newer.MapHeadSize) : (older.TreeSize, newer.TreeSize);
            if (!ConsistencyProof.HasPrefix(first, second))
            {
                continue;
            }

            var call = isMapHeadLog
                ? await client.GetMapHeadConsistencyProofAsync(first + 1, second, CancellationToken.None)
                : await client.GetConsistencyProofAsync(first + 1, second, CancellationToken.None);
            if (call.Message is not null && WireMessage.TryReadNodes(call.Message, out var nodes)
                && new LogFault.RewrittenPast(known, head, nodes, isMapHeadLog) is { IsShown: true } fault)
            {
                return fault;
            }
        }

        return null;
    }
}
