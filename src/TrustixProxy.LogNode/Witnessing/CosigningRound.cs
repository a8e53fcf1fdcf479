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
/// <param name="NewestSize">The tree's size now, which may have grown since.</param>
internal sealed record OfferedCheckpoint(
    SignedNote Note, VerifierKey Key, long Size, Func<long, Digest[]> Prove, Func<long> NewestSize);

/// <summary>The result of asking all witnesses for one checkpoint.</summary>
/// <param name="Cosignatures">The cosignatures that came.</param>
/// <param name="Cosigners">Names of the witnesses that sent them.</param>
/// <param name="Sizes">The sizes that witnesses are now known to have, by name.</param>
/// <param name="Ahead">Names of the witnesses that say they know a larger tree than there is, or one that does not lead to the offered
/// one. Nobody signs this.</param>
/// <param name="Failures">Why others did not cosign, by name.</param>
/// <param name="Shown">Checkpoints under the log's own key that witnesses showed. The writer compares them with the file.</param>
internal sealed record CosigningResult(ImmutableArray<NoteSignature> Cosignatures, ImmutableHashSet<string> Cosigners,
    ImmutableDictionary<string, long> Sizes, ImmutableHashSet<string> Ahead, ImmutableDictionary<string, string> Failures,
    ImmutableArray<SignedNote> Shown)
{
    /// <summary>The result of asking nobody.</summary>
    /// <param name="sizes">The sizes that witnesses are known to have.</param>
    public static CosigningResult None(ImmutableDictionary<string, long> sizes) =>
        new([], [], sizes, [], ImmutableDictionary<string, string>.Empty, []);
}

/// <summary>Offers one checkpoint to all witnesses at once.</summary>
/// <remarks>
/// <code>
/// old size known ──▶ 200: cosigned
///                ──▶ 409 with a smaller size: once more from there, with its proof
///                ──▶ 409 with a larger size than the tree now has, or 422: this state may be an old copy
///                ──▶ a checkpoint under the log's own key that the file does not lead to: this state is an old copy
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
        var shown = new ConcurrentQueue<SignedNote>();
        var asking = witnesses.Select(client =>
            AskOneAsync(client, offered, known.GetValueOrDefault(client.Witness.Name), answers, shown, end.Token)).ToList();
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
        return Sum(offered, known, answers) with { Shown = [.. shown] };
    }

    private static async Task AskOneAsync(WitnessClient client, OfferedCheckpoint offered, long known,
        ConcurrentDictionary<string, WitnessAnswer> answers, ConcurrentQueue<SignedNote> shown, CancellationToken cancellation)
    {
        var from = Math.Min(known, offered.Size);
        for (var attempt = 0; ; attempt++)
        {
            var proof = from is 0 || from == offered.Size ? [] : offered.Prove(from);
            var answer = await client.AskAsync(new CheckpointRequest(from, [.. proof], offered.Note), offered.Key, cancellation);
            if (answer is WitnessAnswer.Shows { Note: var note })
            {
                shown.Enqueue(note);
            }

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
                WitnessAnswer.Cosigned { Signature: var signature } => result with
                {
                    Cosignatures = result.Cosignatures.Add(signature),
                    Cosigners = result.Cosigners.Add(name),
                    Sizes = result.Sizes.SetItem(name, offered.Size),
                },
                WitnessAnswer.KnowsSize { Size: var size } => Known(name, size),
                WitnessAnswer.Shows { Checkpoint.Size: var size } => Known(name, size),
                WitnessAnswer.Refutes => result with { Ahead = result.Ahead.Add(name) },
                WitnessAnswer.Failed { Reason: var reason } => Failed(name, reason),
                _ => Failed(name, $"no answer within {Grace.TotalSeconds:N0} s after a quorum of the others"),
            };
        }

        return result;

        CosigningResult Known(string name, long size) =>
            size > offered.NewestSize() ? result with { Ahead = result.Ahead.Add(name) }
                : size > offered.Size ? Failed(name, $"it knows size {size} already, which is offered next")
                : Failed(name, $"it named another size again, now {size}");

        CosigningResult Failed(string name, string reason) => result with { Failures = result.Failures.Add(name, reason) };
    }
}
