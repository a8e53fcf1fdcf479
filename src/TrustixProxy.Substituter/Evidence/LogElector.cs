using System.Collections.Immutable;
using Google.Protobuf;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries one log about a path and accepts only proven answers: head, then map, then inclusion and value.</summary>
internal sealed class LogElector(Elector.Log elector, WatchedLog log, TimeProvider time) : ElectorClient
{
    /// <summary>Maximum age of a head under which an absence is accepted.</summary>
    private static readonly TimeSpan FreshEnough = TimeSpan.FromSeconds(1);

    /// <summary>Immediate retries under newer heads while the log grows; later retries follow a pause.</summary>
    private const int MaxHeads = 2;

    private readonly LogLookups _lookups = new(log, time);

    public override Elector Elector => elector;

    public override bool IsFrozen => log.IsFrozen;

    /// <summary>Looks the digest up in the log before the name is known; a log without that call is asked for its newest head
    /// instead.</summary>
    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        Task<LookupAnswer?>? ahead = null;
        if (_lookups.AreLacking)
        {
            _ = log.ViewAsync(FreshEnough, CancellationToken.None);
        }
        else if (name is null && elector.KeyForm is LogKeyForm.StorePath)
        {
            ahead = _lookups.AskAsync(new LookupQuestion(digest.ToString(), null), cancellation);
        }

        return (path, token) => AskAsync(path, Interlocked.Exchange(ref ahead, null), values, token);
    }

    /// <summary>Queries once. An absence is accepted only under a recently fetched head.</summary>
    private async Task<Ballot> AskAsync(
        StorePath path, Task<LookupAnswer?>? ahead, CandidateValues values, CancellationToken cancellation)
    {
        var first = await log.ViewAsync(Timeout.InfiniteTimeSpan, cancellation, isShown: false);
        if (first.View is null)
        {
            return new Ballot.Silent(first.Reason);
        }

        if (await LookUpAsync(path, ahead, cancellation) is { } answer)
        {
            return answer;
        }

        var shown = await log.ViewAsync(Timeout.InfiniteTimeSpan, cancellation);
        return shown.View is null ? new Ballot.Silent(shown.Reason)
            : await AskUntilHeadStandsAsync(shown.View.Head, path, values, cancellation);
    }

    /// <summary>Queries under a head and retries under newer ones: an absence, a lost root or a failed proof may only mean that the log has
    /// grown.</summary>
    /// <remarks>A lost root or a failed proof triggers an immediate head fetch. Some logs report their newest root as lost when a key is
    /// absent.</remarks>
    private async Task<Ballot> AskUntilHeadStandsAsync(
        VerifiedTreeHead head, StorePath path, CandidateValues values, CancellationToken cancellation)
    {
        for (var asked = 1; ; asked++)
        {
            var ballot = await AskUnderAsync(head, path, values, cancellation);
            var isLost = ballot is Ballot.Silent { Reason: SilenceReason.MapRootUnknown };
            if (asked > MaxHeads || !(isLost || ballot is Ballot.Absent or Ballot.Silent { Reason: SilenceReason.MapProof }))
            {
                return ballot;
            }

            var fresh = await log.ViewAsync(ballot is Ballot.Absent ? FreshEnough : TimeSpan.Zero, cancellation);
            if (fresh.View is not { Head: var next })
            {
                return new Ballot.Silent(fresh.Reason);
            }

            if (next.Content == head.Content)
            {
                return isLost ? new Ballot.Absent(IsProven: false, head.Content.TreeSize) : ballot;
            }

            head = next;
        }
    }

    /// <summary>Uses the combined lookup call of some logs: its head is new, so an absence is final. Null if it proves nothing; the
    /// separate calls then show why.</summary>
    private async Task<Ballot?> LookUpAsync(StorePath path, Task<LookupAnswer?>? ahead, CancellationToken cancellation)
    {
        var key = elector.KeyOf(path);
        if (ahead is not null)
        {
            var early = await ahead;
            if (early?.Item.Entries.FirstOrDefault(entry => entry.Key.Span.SequenceEqual(key)) is { } found)
            {
                return Judge(early.Head, found, path);
            }

            if (early is null)
            {
                return null;
            }
        }

        // A log that names no key for a digest has proven nothing; only a proof of the key's absence counts.
        return await _lookups.AskAsync(new LookupQuestion(null, key), cancellation) is { Item.Entries: [var entry] } answer
            ? Judge(answer.Head, entry, path) : null;
    }

    private Ballot? Judge(VerifiedTreeHead head, LookupEntry entry, StorePath path)
    {
        if (entry.Map is null)
        {
            return null;
        }

        var evidence = new LogEvidence(
            head, entry.Map, NodesOf(new ProofResponse { Proof = { entry.InclusionProof } }), entry.HasValue ? entry.Value.Memory : null);
        return evidence.Judge(elector, path) is { IsFirm: true } ballot and not Ballot.Claimed { IsUntied: true }
            ? Held(ballot, evidence, path) : null;
    }

    private async Task<Ballot> AskUnderAsync(
        VerifiedTreeHead head, StorePath path, CandidateValues values, CancellationToken cancellation)
    {
        var key = elector.KeyOf(path);
        if (head.Content.TreeSize is 0)
        {
            // logs refuse such a query
            return new LogEvidence(head, new MapValueResponse { Value = ByteString.Empty, Proof = new MapProof([], null).ToMessage() },
                null, null).Judge(elector, path);
        }

        var call = await log.Client.GetMapValueAsync(key, head.Content.MapRoot, cancellation);
        if (call.Message is not { } answer)
        {
            return OfError(call, head, key);
        }

        var evidence = new LogEvidence(head, answer, null, null);
        return MapEntry.TryParse(answer.Value.Span, out var entry) && entry.Index < head.Content.TreeSize
            ? await CompleteAsync(evidence, entry, path, values, cancellation)
            : evidence.Judge(elector, path);
    }

    /// <summary>Turns a map entry into a vote: fetches its inclusion proof, and its value if no upstream supplied it.</summary>
    private async Task<Ballot> CompleteAsync(
        LogEvidence evidence, MapEntry entry, StorePath path, CandidateValues values, CancellationToken cancellation)
    {
        var isAsked = !log.Client.LacksInclusionProofs;
        var inclusion = isAsked
            ? log.Client.GetInclusionProofAsync(entry.Index, evidence.Head.Content.TreeSize, elector.RequiresInclusionProof, cancellation)
            : Task.FromResult(default(CallResult<ProofResponse>));
        var rebuilt = values.Find(entry.ValueDigest);
        var value = rebuilt is null ? log.Client.GetValueAsync(entry.ValueDigest, cancellation)
            : Task.FromResult(default(CallResult<ValueResponse>));
        var (inclusionCall, valueCall) = (await inclusion, await value);
        if (isAsked)
        {
            await log.NoteInclusionProofAsync(inclusionCall);
        }

        var ballot = (evidence with { Inclusion = NodesOf(inclusionCall.Message), Value = rebuilt ?? valueCall.Message?.Value.Memory })
            .Judge(elector, path);
        if (ballot is Ballot.Claimed { IsUntied: true } or Ballot.Silent { Reason: SilenceReason.InclusionProof }
            && inclusionCall.Message is not null
            && await ContradictionAsync(evidence, entry, path, inclusionCall.Message, cancellation) is { } fault)
        {
            log.Freeze(fault, log.Source);
            return new Ballot.Silent(SilenceReason.Frozen);
        }

        return Held(ballot, evidence, path) switch
        {
            Ballot.Silent { Reason: SilenceReason.InclusionProof } when log.Client.LacksInclusionProofs =>
                new Ballot.Silent(SilenceReason.NoInclusionProofs),
            Ballot.Silent { Reason: SilenceReason.InclusionProof } when inclusionCall is { Message: null, Error: null } =>
                new Ballot.Silent(inclusionCall.Failure),
            Ballot.Silent { Reason: SilenceReason.ValueMissing } when valueCall.Error is null => new Ballot.Silent(valueCall.Failure),
            var held => held,
        };
    }

    /// <summary>Returns the ballot, unless the log's map held a different entry for the path before.</summary>
    private Ballot Held(Ballot ballot, LogEvidence evidence, StorePath path) =>
        ballot is Ballot.Absent or Ballot.Silent { Reason: SilenceReason.MapProof }
            || log.IsHeldTo(new ProvenEntry(evidence.Head, elector.KeyOf(path), evidence.Map))
            ? ballot
            : new Ballot.Silent(SilenceReason.Frozen);

    /// <summary>Handles an inclusion proof that failed for the map's entry: if it fits the log's own entry at that index, map and log
    /// contradict each other.</summary>
    private async Task<LogFault?> ContradictionAsync(
        LogEvidence evidence, MapEntry entry, StorePath path, ProofResponse proof, CancellationToken cancellation)
    {
        if (!WireMessage.TryReadNodes(proof, out var nodes)
            || await log.Client.GetEntriesAsync(entry.Index, 1, cancellation) is not { Message.Leaves: [var leaf] }
                || !Digest.TryRead(leaf.LeafDigest.Span, out var digest))
        {
            return null;
        }

        var fault = new LogFault.MapContradiction(new ProvenEntry(evidence.Head, elector.KeyOf(path), evidence.Map), digest, nodes);
        return fault.IsShown ? fault : null;
    }

    private static ImmutableArray<Digest>? NodesOf(ProofResponse? proof) =>
        proof is not null && WireMessage.TryReadNodes(proof, out var nodes) ? [.. nodes] : null;

    /// <remarks>Trustix's daemon answers an absent key and a lost root with the same code; only the texts differ, in some versions only the
    /// bytes in them.</remarks>
    private static Ballot OfError(CallResult<MapValueResponse> call, VerifiedTreeHead head, byte[] key) => call.Error switch
    {
        null => new Ballot.Silent(call.Failure),
        var text when text.Contains("Map value not found", StringComparison.Ordinal) || MissingObject.IsNamed(text, Digest.Of(key)) =>
            new Ballot.Absent(IsProven: false, head.Content.TreeSize),
        var text when text.StartsWith("not_found:", StringComparison.Ordinal)
            || text.Contains("could not find object", StringComparison.Ordinal) =>
            new Ballot.Silent(SilenceReason.MapRootUnknown),
        _ => new Ballot.Silent(SilenceReason.BadAnswer),
    };
}
