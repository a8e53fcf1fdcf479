using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A narinfo that may be shown to a client: made of a decision, and signed by us where electors vouch for it. Made only by
/// <see cref="NarInfoSigner"/>.</summary>
internal sealed record DecidedNarInfo
{
    private DecidedNarInfo(string text) => Text = text;

    /// <summary>The narinfo.</summary>
    public string Text { get; }

    /// <summary>Made of the claim, never copied: from upstreams come only hints that were checked for their form.</summary>
    /// <remarks>Where electors vouch for a path that refers to itself, its content address is left out:
    /// versions of Nix disagree on how it is computed, and refuse the path for the address of another version.</remarks>
    internal static DecidedNarInfo Make(OutputClaim claim, NarHints hints, string ourName, NixSignature? ours)
    {
        var narInfo = new NarInfo
        {
            StorePath = claim.Path,
            Url = new NarUrl(claim.Path.Digest, claim.NarHash, hints.FileHash, hints.Compression).ToString(),
            Compression = hints.Compression,
            FileHash = hints.FileHash,
            FileSize = hints.FileSize,
            NarHash = claim.NarHash,
            NarSize = claim.NarSize,
            References = claim.References,
            Deriver = hints.Deriver,
            Signatures = [.. ours is null ? [] : new[] { ours }, .. hints.Signatures.Where(other => other.KeyName != ourName)],
            ContentAddress = ours is not null && claim.References.Contains(claim.Path) ? null : hints.ContentAddress,
        };
        return new DecidedNarInfo(narInfo.ToString());
    }
}

/// <summary>Renders decisions; signs those that electors vouch for, and nothing else: the only place where our key makes a
/// signature.</summary>
internal sealed class NarInfoSigner(NixSecretKey key)
{
    /// <summary>What clients check signatures with.</summary>
    public NixPublicKey PublicKey => key.PublicKey;

    /// <exception cref="ArgumentException">The record is a refusal.</exception>
    public DecidedNarInfo Render(DecisionRecord record) => record is { Claim: { } claim, Hints: { } hints }
        ? DecidedNarInfo.Make(claim, hints, key.PublicKey.Name, record.IsSigned ? key.Sign(claim.Fingerprint) : null)
        : throw new ArgumentException("A refusal has no narinfo.", nameof(record));
}
