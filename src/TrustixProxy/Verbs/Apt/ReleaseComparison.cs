using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Verbs.Apt;

/// <summary>Asks another site's log which Release files it holds. Each answer, yes or no, is proven under the log's signed head.</summary>
internal static class ReleaseComparison
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Whether the log holds each key; or a fault in one line.</summary>
    /// <param name="url">The log's address.</param>
    /// <param name="key">The log's public key.</param>
    /// <param name="keys">The keys of Release files.</param>
    public static async Task<(IReadOnlyList<bool>? Held, string? Fault)> AskAsync(
        Uri url, LogKey key, IEnumerable<byte[]> keys, CancellationToken cancellation)
    {
        using var http = LogTransport.Create(url, network: null);
        using var connect = new ConnectClient(http, Patience, TimeProvider.System);
        var client = new LogClient(connect, key.LogId, TimeProvider.System);
        var call = await client.GetHeadAsync(cancellation);
        if (call.Message is null)
        {
            return (null, $"--log: {url} gives no head: {call.Error ?? Kebab.Of(call.Failure)}.");
        }

        if (!SignedTreeHead.TryRead(call.Message, out var read, out _) || !key.TryVerify(read, out var head, out _))
        {
            return (null, $"--log: the head of {url} is not signed by --public-key.");
        }

        var held = new List<bool>();
        foreach (var one in keys)
        {
            var answer = await client.GetMapValueAsync(one, head.Content.MapRoot, cancellation);
            if (answer.Message is not { } message || !MapProof.TryRead(message.Proof, out var proof, out _)
                || !proof.TryVerify(head, one, message.Value.Span, out var proven, out _))
            {
                return (null, $"--log: an answer of {url} proves nothing: {answer.Error ?? Kebab.Of(answer.Failure)}.");
            }

            held.Add(proven.Entry is not null);
        }

        return (held, null);
    }
}
