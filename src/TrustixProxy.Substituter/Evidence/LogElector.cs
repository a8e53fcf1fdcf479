using System.Collections.Immutable;
using Google.Protobuf;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Asks one log what it knows of a path, and believes only what it proves: head, then map, then inclusion and value.</summary>
internal sealed class LogElector(Elector.Log elector, WatchedLog log, TimeProvider time) : ElectorClient
{
    /// <summary>A head younger than this is fresh enough to believe an absence under it.</summary>
    private static readonly TimeSpan FreshEnough = TimeSpan.FromSeconds(1);

    public override Elector Elector => elector;

    public override bool IsFrozen => log.IsFrozen;

    /// <summary>Asks once. An absence is believed only under a head that was fetched a moment ago, and a lost map root is looked for once under a new head.</summary>
    public override async Task<Ballot> AskAsync(StorePath path, CancellationToken cancellation)
    {
        var first = await log.ViewAsync(Timeout.InfiniteTimeSpan, cancellation);
        if (first.View is null)
        {
            return new Ballot.Silent(first.Reason);
        }

        if (await LookUpAsync(first.View, path, cancellation) is { } answer)
        {
            return answer;
        }

        var ballot = await AskUnderAsync(first.View.Head, path, cancellation);
        if (ballot is not (Ballot.Absent or Ballot.Silent { Reason: SilenceReason.MapRootUnknown }))
        {
            return ballot;
        }

        var fresh = await log.ViewAsync(FreshEnough, cancellation);
        return fresh.View is null ? new Ballot.Silent(fresh.Reason)
            : fresh.View.Head.Content == first.View.Head.Content ? ballot
            : await AskUnderAsync(fresh.View.Head, path, cancellation);
    }

    /// <summary>Asks by the one call that some logs have: its head is new, so that an absence under it is final. Null when it proves nothing; then the separate calls show why.</summary>
    private async Task<Ballot?> LookUpAsync(LogView view, StorePath path, CancellationToken cancellation)
    {
        var (key, at) = (elector.KeyOf(path), time.GetTimestamp());
        if (await log.Client.LookupAsync(view.Head.Content, key, cancellation) is not { Items: [{ Entries: [{ Map: { } map } entry] }] } answer
            || log.TakeIn(view, answer, at) is not { } head)
        {
            return null;
        }

        var inclusion = new ProofResponse { Proof = { entry.InclusionProof } };
        var evidence = new LogEvidence(head, map, NodesOf(inclusion), entry.HasValue ? entry.Value.Memory : null);
        return evidence.Judge(elector, path) is { IsFirm: true } ballot and not Ballot.Claimed { IsUntied: true } ? Held(ballot, evidence, path) : null;
    }

    private async Task<Ballot> AskUnderAsync(VerifiedTreeHead head, StorePath path, CancellationToken cancellation)
    {
        var key = elector.KeyOf(path);
        if (head.Content.TreeSize is 0)
        {
            return new LogEvidence(head, new MapValueResponse { Value = ByteString.Empty, Proof = new MapProof([], null).ToMessage() }, null, null).Judge(elector, path); // logs refuse to be asked for it
        }

        var call = await log.Client.GetMapValueAsync(key, head.Content.MapRoot, cancellation);
        if (call.Message is not { } answer)
        {
            return OfError(call, head);
        }

        var evidence = new LogEvidence(head, answer, null, null);
        return MapEntry.TryParse(answer.Value.Span, out var entry) && entry.Index < head.Content.TreeSize
            ? await CompleteAsync(evidence, entry, path, cancellation)
            : evidence.Judge(elector, path);
    }

    /// <summary>Fetches what turns a map entry into a vote: the proof that it is in the log, and the value.</summary>
    private async Task<Ballot> CompleteAsync(LogEvidence evidence, MapEntry entry, StorePath path, CancellationToken cancellation)
    {
        var inclusion = log.Client.GetInclusionProofAsync(entry.Index, evidence.Head.Content.TreeSize, elector.RequiresInclusionProof, cancellation);
        var value = log.Client.GetValueAsync(entry.ValueDigest, cancellation);
        var (inclusionCall, valueCall) = (await inclusion, await value);
        var ballot = (evidence with { Inclusion = NodesOf(inclusionCall.Message), Value = valueCall.Message?.Value.Memory }).Judge(elector, path);
        if (ballot is Ballot.Claimed { IsUntied: true } or Ballot.Silent { Reason: SilenceReason.InclusionProof } && inclusionCall.Message is not null
            && await ContradictionAsync(evidence, entry, path, inclusionCall.Message, cancellation) is { } fault)
        {
            log.Freeze(fault, log.Source);
            return new Ballot.Silent(SilenceReason.Frozen);
        }

        return Held(ballot, evidence, path) switch
        {
            Ballot.Silent { Reason: SilenceReason.InclusionProof } when inclusionCall is { Message: null, Error: null } => new Ballot.Silent(inclusionCall.Failure),
            Ballot.Silent { Reason: SilenceReason.ValueMissing } when valueCall.Error is null => new Ballot.Silent(valueCall.Failure),
            var held => held,
        };
    }

    /// <summary>The ballot, if the log's map has not held another entry for the path before.</summary>
    private Ballot Held(Ballot ballot, LogEvidence evidence, StorePath path) =>
        ballot is Ballot.Absent or Ballot.Silent { Reason: SilenceReason.MapProof } || log.IsHeldTo(new ProvenEntry(evidence.Head, elector.KeyOf(path), evidence.Map))
            ? ballot
            : new Ballot.Silent(SilenceReason.Frozen);

    /// <summary>An inclusion proof did not fit the map's entry: if it fits what the log says is at that place, map and log contradict each other.</summary>
    private async Task<LogFault?> ContradictionAsync(LogEvidence evidence, MapEntry entry, StorePath path, ProofResponse proof, CancellationToken cancellation)
    {
        if (!WireMessage.TryReadNodes(proof, out var nodes)
            || await log.Client.GetEntryAsync(entry.Index, cancellation) is not { Message.Leaves: [var leaf] } || !Digest.TryRead(leaf.LeafDigest.Span, out var digest))
        {
            return null;
        }

        var fault = new LogFault.MapContradiction(new ProvenEntry(evidence.Head, elector.KeyOf(path), evidence.Map), digest, nodes);
        return fault.IsShown ? fault : null;
    }

    private static ImmutableArray<Digest>? NodesOf(ProofResponse? proof) => proof is not null && WireMessage.TryReadNodes(proof, out var nodes) ? [.. nodes] : null;

    /// <remarks>The reference answers an absent key and a lost root with the same code; only their texts differ.</remarks>
    private static Ballot OfError(CallResult<MapValueResponse> call, VerifiedTreeHead head) => call.Error switch
    {
        null => new Ballot.Silent(call.Failure),
        var text when text.Contains("Map value not found", StringComparison.Ordinal) => new Ballot.Absent(IsProven: false, head.Content.TreeSize),
        var text when text.StartsWith("not_found:", StringComparison.Ordinal) || text.Contains("could not find object", StringComparison.Ordinal) =>
            new Ballot.Silent(SilenceReason.MapRootUnknown),
        _ => new Ballot.Silent(SilenceReason.BadAnswer),
    };
}
