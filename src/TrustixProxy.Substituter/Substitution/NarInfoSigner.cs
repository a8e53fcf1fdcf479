using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>A narinfo that may be shown to a client: made of an agreement, and signed by us. Made only by <see cref="NarInfoSigner"/>.</summary>
internal sealed record SignedNarInfo
{
    private SignedNarInfo(string text) => Text = text;

    /// <summary>The narinfo.</summary>
    public string Text { get; }

    /// <summary>Made of the claim, never copied: from upstreams come only hints that were checked for their form.</summary>
    internal static SignedNarInfo Make(OutputClaim claim, NarHints hints, NixSecretKey key)
    {
        var ours = key.Sign(claim.Fingerprint);
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
            Signatures = [ours, .. hints.Signatures.Where(other => other.KeyName != ours.KeyName)],
            ContentAddress = hints.ContentAddress,
        };
        return new SignedNarInfo(narInfo.ToString());
    }
}

/// <summary>Signs agreements, and nothing else: the only place where our key makes a signature.</summary>
internal sealed class NarInfoSigner(NixSecretKey key)
{
    /// <exception cref="ArgumentException">The record is a refusal.</exception>
    public SignedNarInfo Sign(DecisionRecord record) => record is { Claim: { } claim, Hints: { } hints }
        ? SignedNarInfo.Make(claim, hints, key)
        : throw new ArgumentException("Only an agreement is signed.", nameof(record));
}
