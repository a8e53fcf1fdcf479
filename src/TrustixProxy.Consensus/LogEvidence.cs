using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Consensus;

/// <summary>A log's complete answer for one path under one head, exactly as received, so that anyone can check it again.</summary>
/// <param name="Head">The head; its signature was verified.</param>
/// <param name="Map">The answer about the path's key: an entry or none, and the proof.</param>
/// <param name="Inclusion">The proof that the entry's leaf is in the log; null when the log gave none.</param>
/// <param name="Value">The value's bytes; null when the log gave none.</param>
public sealed record LogEvidence(
    VerifiedTreeHead Head, MapValueResponse Map, ImmutableArray<Digest>? Inclusion, ReadOnlyMemory<byte>? Value)
{
    /// <summary>What shows that the witnesses which the elector demands have seen the head; null where none are demanded.</summary>
    public CheckpointVerdict.Witnessed? Witnessed { get; init; }

    /// <summary>Judges what the evidence proves: a claim, an absence, or nothing for a reason.</summary>
    /// <param name="elector">The log's elector.</param>
    /// <param name="path">The path asked for.</param>
    public Ballot Judge(Elector.Log elector, StorePath path)
    {
        if (!MapProof.TryRead(Map.Proof, out var proof, out _)
            || !proof.TryVerify(Head, elector.KeyOf(path), Map.Value.Span, out var proven, out _))
        {
            return new Ballot.Silent(SilenceReason.MapProof);
        }

        if (proven.Entry is not { } entry)
        {
            return new Ballot.Absent(IsProven: true, Head.Content.TreeSize) { Evidence = this };
        }

        var isTied = Inclusion is { } nodes && proven.IsTied(nodes.AsSpan(), out _);
        return !isTied && elector.RequiresInclusionProof ? new Ballot.Silent(SilenceReason.InclusionProof)
            : Value is not { } value ? new Ballot.Silent(SilenceReason.ValueMissing)
            : OutputClaim.TryRead(proven, value, path, out var claim, out var error)
                ? new Ballot.Claimed(claim, new VoteProof.ByLog(entry.Index, Head.Content.TreeSize, isTied) { Evidence = this })
            : new Ballot.Silent(error switch
            {
                OutputClaimError.Digest => SilenceReason.ValueDigest,
                OutputClaimError.OtherPath => SilenceReason.ClaimOfOtherPath,
                _ => SilenceReason.ClaimMalformed,
            });
    }
}
