using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Storage;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What the upstreams have said of one digest.</summary>
internal sealed class UpstreamPoll(IReadOnlyList<Upstream> upstreams, UpstreamMarks marks, NarStore? store)
{
    private readonly Dictionary<Upstream, UpstreamAnswer> _last = [];

    public IReadOnlyList<Upstream> All => upstreams;

    /// <summary>Whether each has said what it has, or that it has nothing.</summary>
    public bool IsSettled => upstreams.All(upstream => _last.TryGetValue(upstream, out var answer) && answer is not UpstreamAnswer.Failed);

    /// <summary>Whether each has been heard at all, failures included.</summary>
    public bool HaveAllSpoken => _last.Count == upstreams.Count;

    /// <summary>Who failed, and how, to be put after a refusal's reason; empty when nobody did.</summary>
    public string Complaint
    {
        get
        {
            var failed = upstreams.Select(upstream => _last.GetValueOrDefault(upstream) switch
            {
                null => $"{upstream.Options.Name}=no-answer",
                UpstreamAnswer.Failed answer => $"{upstream.Options.Name}={answer.Reason}",
                _ => null,
            }).OfType<string>().ToList();
            return failed.Count is 0 ? "" : $"; failing upstreams: {string.Join(", ", failed)}";
        }
    }

    public void Hear(Upstream upstream, UpstreamAnswer answer) => _last[upstream] = answer;

    /// <summary>Where the claim's NAR comes from, by the best upstream that says it has it, else from the store; null when none has said so yet.</summary>
    /// <param name="claim">What was agreed on.</param>
    /// <param name="mustBeBest">Whether a better-placed upstream that has not said anything yet is to be waited for.</param>
    public NarHints? HintsFor(OutputClaim claim, bool mustBeBest)
    {
        foreach (var upstream in Ranked(claim.Path.Digest))
        {
            if (!_last.TryGetValue(upstream, out var answer) && mustBeBest)
            {
                return null;
            }

            if (answer is UpstreamAnswer.Found { NarInfo: var narInfo } && narInfo.NarHash == claim.NarHash
                && upstream.AddressOf(narInfo) is not null)
            {
                return Hints(claim, narInfo, upstream);
            }
        }

        return HaveAllSpoken || !mustBeBest ? store?.HintsFor(claim) : null;
    }

    /// <summary>What the best upstream says of a path that its content address makes, which can be checked while it streams; null when none says such a thing.</summary>
    public (OutputClaim Claim, NarHints Hints)? FindContentAddressed(StorePathDigest digest)
    {
        foreach (var upstream in Ranked(digest))
        {
            if (_last.GetValueOrDefault(upstream) is UpstreamAnswer.Found { NarInfo: var narInfo }
                && narInfo.ContentAddress is { IsCheckable: true } && upstream.AddressOf(narInfo) is not null
                && !marks.HasOtherContent(upstream, digest)
                && OutputClaim.TryReadContentAddressed(narInfo, out var claim))
            {
                return (claim, Hints(claim, narInfo, upstream));
            }
        }

        return null;
    }

    private IEnumerable<Upstream> Ranked(StorePathDigest digest) => upstreams.OrderBy(upstream => marks.IsBad(upstream, digest)).ThenBy(upstream => upstream.Options.Priority);

    /// <summary>What of a narinfo may stand beside the claim: the address's parts, and what is well formed and fits.</summary>
    private static NarHints Hints(OutputClaim claim, NarInfo narInfo, Upstream upstream)
    {
        var isBare = narInfo.Compression is NarCompression.None || !NarCompression.IsKnown(narInfo.Compression)
            || narInfo.FileHash is not { Algorithm: NixHashAlgorithm.Sha256 };
        var fits = narInfo.ContentAddress is { } address && address.Matches(claim.Path, claim.References, claim.NarHash);
        return new NarHints(
            isBare ? NarCompression.None : narInfo.Compression,
            isBare ? claim.NarHash : narInfo.FileHash!,
            isBare ? claim.NarSize : narInfo.FileSize,
            narInfo.Deriver,
            fits ? narInfo.ContentAddress : null,
            narInfo.Fingerprint == claim.Fingerprint ? [.. narInfo.Signatures.Take(8)] : [],
            upstream.Options.Name);
    }
}
