using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Asks one log what it knows of a path, and believes only what it proves: head, then map, then inclusion and value.</summary>
internal sealed class LogElector(Elector elector, WatchedLog log, TimeProvider time)
{
    /// <summary>A head younger than this is fresh enough to believe an absence under it.</summary>
    private static readonly TimeSpan FreshEnough = TimeSpan.FromSeconds(1);

    /// <summary>Who votes by it.</summary>
    public Elector Elector => elector;

    /// <summary>Whether it is unheard until an operator unfreezes it.</summary>
    public bool IsFrozen => log.IsFrozen;

    /// <summary>Asks once. An absence is believed only under a head that was fetched a moment ago, and a lost map root is looked for once under a new head.</summary>
    public async Task<Ballot> AskAsync(StorePath path, CancellationToken cancellation)
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
            || log.TakeIn(view, answer, at) is not { } head
            || !MapProof.TryRead(map.Proof, out var proof, out _) || !proof.TryVerify(head, key, map.Value.Span, out var proven, out _))
        {
            return null;
        }

        if (proven.Entry is not { } mapEntry)
        {
            return new Ballot.Absent(IsProven: true, head.Content.TreeSize);
        }

        var inclusion = new ProofResponse { Proof = { entry.InclusionProof } };
        var isTied = WireMessage.TryReadNodes(inclusion, out var nodes) && proven.IsTied(nodes, out _);
        return isTied && entry.HasValue && OutputClaim.TryRead(proven, entry.Value.Memory, path, out var claim, out _)
            ? new Ballot.Claimed(claim, isTied, mapEntry.Index, head.Content.TreeSize)
            : null;
    }

    private async Task<Ballot> AskUnderAsync(VerifiedTreeHead head, StorePath path, CancellationToken cancellation)
    {
        var key = elector.KeyOf(path);
        if (head.Content.TreeSize is 0)
        {
            return new Ballot.Absent(IsProven: true, 0);
        }

        var call = await log.Client.GetMapValueAsync(key, head.Content.MapRoot, cancellation);
        if (call.Message is not { } answer)
        {
            return OfError(call, head);
        }

        if (!MapProof.TryRead(answer.Proof, out var proof, out _) || !proof.TryVerify(head, key, answer.Value.Span, out var proven, out _))
        {
            return new Ballot.Silent(SilenceReason.MapProof);
        }

        return proven.Entry is null ? new Ballot.Absent(IsProven: true, head.Content.TreeSize) : await CastAsync(proven, path, cancellation);
    }

    /// <summary>Fetches what turns a proven digest into a vote: that it is in the log, and the value that has it.</summary>
    private async Task<Ballot> CastAsync(ProvenDigest proven, StorePath path, CancellationToken cancellation)
    {
        var (head, entry) = (proven.Head.Content, proven.Entry!);
        var inclusion = log.Client.GetInclusionProofAsync(entry.Index, head.TreeSize, elector.RequiresInclusionProof, cancellation);
        var value = log.Client.GetValueAsync(entry.ValueDigest, cancellation);
        var (inclusionCall, valueCall) = (await inclusion, await value);
        var isTied = inclusionCall.Message is not null
            && WireMessage.TryReadNodes(inclusionCall.Message, out var nodes)
            && proven.IsTied(nodes, out _);
        if (!isTied && elector.RequiresInclusionProof)
        {
            return new Ballot.Silent(inclusionCall is { Message: null, Error: null } ? inclusionCall.Failure : SilenceReason.InclusionProof);
        }

        if (valueCall.Message is null)
        {
            return new Ballot.Silent(valueCall.Error is null ? valueCall.Failure : SilenceReason.ValueMissing);
        }

        return OutputClaim.TryRead(proven, valueCall.Message.Value.Memory, path, out var claim, out var error)
            ? new Ballot.Claimed(claim, isTied, entry.Index, head.TreeSize)
            : new Ballot.Silent(error switch
            {
                OutputClaimError.Digest => SilenceReason.ValueDigest,
                OutputClaimError.OtherPath => SilenceReason.ClaimOfOtherPath,
                _ => SilenceReason.ClaimMalformed,
            });
    }

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
