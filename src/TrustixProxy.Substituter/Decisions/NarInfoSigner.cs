using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A narinfo ready for clients: rendered from a decision, and signed by us if electors vouch for it. Created only by
/// <see cref="NarInfoSigner"/>.</summary>
internal sealed record DecidedNarInfo
{
    private DecidedNarInfo(string text) => Text = text;

    /// <summary>The narinfo.</summary>
    public string Text { get; }

    /// <summary>Renders the narinfo from the claim, never by copying; upstreams contribute only validated hints.</summary>
    /// <remarks>Omits the content address of self-referencing paths vouched for by electors: Nix versions compute it differently and reject
    /// another version's.</remarks>
    internal static DecidedNarInfo Make(OutputClaim claim, NarHints hints, string ourName, NixSignature? ours)
    {
        return new DecidedNarInfo((Unsigned(claim, hints) with
        {
            FileHash = hints.FileHash,
            Signatures = [.. ours is null ? [] : new[] { ours },
                .. hints.Signatures.OfType<NixSignature>().Where(other => other.KeyName != ourName)],
            ContentAddress = ours is not null && claim.References.Contains(claim.Path) ? null : hints.ContentAddress,
        }).ToString());
    }

    /// <summary>Renders the narinfo of a path of GNU Guix's store. The deriver stands below the signature, as the URL does: builders may
    /// name different ones for one output.</summary>
    /// <param name="claim">What is served.</param>
    /// <param name="hints">Where the NAR is.</param>
    /// <param name="signature">Our signature of the claim, or in report mode the fallback's; null when there is none.</param>
    internal static DecidedNarInfo MakeForGuix(OutputClaim claim, NarHints hints, GuixSignature? signature) =>
        new((Unsigned(claim, hints) with { GuixSignature = signature }).ToString());

    private static NarInfo Unsigned(OutputClaim claim, NarHints hints) => new()
    {
        StorePath = claim.Path,
        Url = new NarUrl(claim.Path.Digest, claim.NarHash, hints.FileHash, hints.Compression).ToString(),
        Compression = hints.Compression,
        FileSize = hints.FileSize,
        NarHash = claim.NarHash,
        NarSize = claim.NarSize,
        References = claim.References,
        Deriver = hints.Deriver,
    };
}

/// <summary>Renders decisions and signs only those that electors vouch for. Nothing else signs with our key.</summary>
internal sealed class NarInfoSigner(NixSecretKey key)
{
    private readonly Lazy<GuixSecretKey> _guix = new(() => GuixSecretKey.Of(key));

    /// <summary>Public key for clients.</summary>
    public NixPublicKey PublicKey => key.PublicKey;

    /// <exception cref="ArgumentException">The record is a refusal.</exception>
    public DecidedNarInfo Render(DecisionRecord record) => record is { Claim: { } claim, Hints: { } hints }
        ? claim.Path.Store == Store.Guix ? DecidedNarInfo.MakeForGuix(claim, hints, record.IsSigned
            ? _guix.Value.Sign(claim.Path, claim.NarHash, claim.NarSize, claim.References)
            : hints.Signatures.OfType<GuixSignature>().FirstOrDefault(other => other.Fingerprint == claim.Fingerprint))
        : DecidedNarInfo.Make(claim, hints, key.PublicKey.Name, record.IsSigned ? key.Sign(claim.Fingerprint) : null)
        : throw new ArgumentException("A refusal has no narinfo.", nameof(record));

    /// <summary>Renders an agreed build trace with our signature.</summary>
    public byte[] Render(TraceRecord record) => Encoding.ASCII.GetBytes(BuildTrace.Write(record.Key, record.OutPath, key));
}
