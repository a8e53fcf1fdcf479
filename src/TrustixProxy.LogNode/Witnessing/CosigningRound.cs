using System.Collections.Concurrent;
using System.Collections.Immutable;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Witnessing;

/// <summary>A checkpoint to be cosigned, and what proves that it extends an older one.</summary>
/// <param name="Note">The checkpoint with the log's signature.</param>
/// <param name="Key">The key of that signature.</param>
/// <param name="Size">Its size.</param>
/// <param name="Prove">Proves consistency from an older size, at least 1, to this one.</param>
internal sealed record OfferedCheckpoint(SignedNote Note, VerifierKey Key, long Size, Func<long, Digest[]> Prove);

/// <summary>The result of asking all witnesses for one checkpoint.</summary>
/// <param name="Cosignatures">The cosignatures that came.</param>
/// <param name="Cosigners">Names of the witnesses that sent them.</param>
/// <param name="Sizes">The sizes that witnesses are now known to have, by name.</param>
/// <param name="Ahead">Names of the witnesses that say they know a larger checkpoint. Nobody signs this.</param>
/// <param name="Failures">Why others did not cosign, by name.</param>
/// <param name="Newer">A checkpoint under the log's own key to which the offered one does not lead; null when none was shown.</param>
internal sealed record CosigningResult(ImmutableArray<NoteSignature> Cosignatures, ImmutableHashSet<string> Cosigners,
    ImmutableDictionary<string, long> Sizes, ImmutableHashSet<string> Ahead, ImmutableDictionary<string, string> Failures,
    SignedNote? Newer)
{
    /// <summary>The result of asking nobody.</summary>
    /// <param name="sizes">The sizes that witnesses are known to have.</param>
    public static CosigningResult None(ImmutableDictionary<string, long> sizes) =>
        new([], [], sizes, [], ImmutableDictionary<string, string>.Empty, null);
}

/// <summary>Offers one checkpoint to all witnesses at once.</summary>
/// <remarks>
/// <code>
/// old size known ──▶ 200: cosigned
///                ──▶ 409 with a smaller size: once more from there, with its proof
///                ──▶ 409 with a larger size:  the witness is ahead: this state may be an old copy
///                ──▶ a larger checkpoint under the log's own key: this state is an old copy
///                ──▶ all else:                failed; asked again in the next round
/// </code></remarks>
/// <param name="witnesses">The policy's witnesses.</param>
/// <param name="policy">How many of them are needed.</param>
internal sealed class CosigningRound(IReadOnlyList<WitnessClient> witnesses, WitnessPolicy policy, TimeProvider time)
{
    /// <summary>How long a round waits for the rest once it has a quorum.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>Asks all; ends when all have answered, or soon after a quorum has.</summary>
    /// <param name="offered">The checkpoint.</param>
    /// <param name="known">The sizes that witnesses were last known to have, by name.</param>
    public async Task<CosigningResult> AskAsync(
        OfferedCheckpoint offered, ImmutableDictionary<string, long> known, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var answers = new ConcurrentDictionary<string, WitnessAnswer>(StringComparer.Ordinal);
        var asking = witnesses.Select(client =>
            AskOneAsync(client, offered, known.GetValueOrDefault(client.Witness.Name), answers, end.Token)).ToList();
        try
        {
            while (asking.Count > 0 && !IsQuorum(answers))
            {
                var answered = await Task.WhenAny(asking);
                asking.Remove(answered);
                await answered;
            }

            await Task.WhenAny(Task.WhenAll(asking), Task.Delay(Grace, time, end.Token));
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAll(asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        cancellation.ThrowIfCancellationRequested();
        return Sum(offered, known, answers);
    }

    private static async Task AskOneAsync(WitnessClient client, OfferedCheckpoint offered, long known,
        ConcurrentDictionary<string, WitnessAnswer> answers, CancellationToken cancellation)
    {
        var from = Math.Min(known, offered.Size);
        for (var attempt = 0; ; attempt++)
        {
            var proof = from is 0 || from == offered.Size ? [] : offered.Prove(from);
            var answer = await client.AskAsync(new CheckpointRequest(from, [.. proof], offered.Note), offered.Key, cancellation);
            var size = answer switch
            {
                WitnessAnswer.KnowsSize knows => knows.Size,
                WitnessAnswer.Shows shows => shows.Checkpoint.Size,
                _ => from,
            };
            if (size <= offered.Size && size != from && attempt is 0)
            {
                from = size;
                continue;
            }

            answers[client.Witness.Name] = answer;
            return;
        }
    }

    private bool IsQuorum(ConcurrentDictionary<string, WitnessAnswer> answers) =>
        policy.Quorum!.IsMetBy(answers.Where(answer => answer.Value is WitnessAnswer.Cosigned).Select(answer => answer.Key).ToHashSet());

    private CosigningResult Sum(
        OfferedCheckpoint offered, ImmutableDictionary<string, long> known, ConcurrentDictionary<string, WitnessAnswer> answers)
    {
        var result = CosigningResult.None(known);
        foreach (var name in witnesses.Select(client => client.Witness.Name).Order(StringComparer.Ordinal))
        {
            result = answers.GetValueOrDefault(name) switch
            {
                WitnessAnswer.Cosigned { Signatures: var signatures } => result with
                {
                    Cosignatures = result.Cosignatures.AddRange(signatures),
                    Cosigners = result.Cosigners.Add(name),
                    Sizes = result.Sizes.SetItem(name, offered.Size),
                },
                WitnessAnswer.KnowsSize { Size: var size } when size > offered.Size => result with { Ahead = result.Ahead.Add(name) },
                WitnessAnswer.KnowsSize { Size: var size } => Failed(name, $"HTTP 409 again, now with size {size}"),
                WitnessAnswer.Shows { Note: var note, Checkpoint: var shown } when IsNewer(shown, offered) =>
                    result with { Ahead = result.Ahead.Add(name), Newer = result.Newer ?? note },
                WitnessAnswer.Shows { Checkpoint.Size: var size } => Failed(name, $"it shows a checkpoint of size {size} again"),
                WitnessAnswer.Failed { Reason: var reason } => Failed(name, reason),
                _ => Failed(name, $"no answer within {Grace.TotalSeconds:N0} s after a quorum of the others"),
            };
        }

        return result;

        CosigningResult Failed(string name, string reason) => result with { Failures = result.Failures.Add(name, reason) };
    }

    /// <summary>Whether a checkpoint is larger than the offered one, or as large with another root.</summary>
    private static bool IsNewer(Checkpoint shown, OfferedCheckpoint offered) =>
        shown.Size > offered.Size || (shown.Size == offered.Size && shown.ToString() != offered.Note.Text);
}
