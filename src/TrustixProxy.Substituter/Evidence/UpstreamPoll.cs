using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What the upstreams have said of one digest.</summary>
internal sealed class UpstreamPoll(IReadOnlyList<Upstream> upstreams, BadNarMemory marks, NarStore? store)
{
    private readonly Dictionary<Upstream, UpstreamAnswer> _last = [];
    private readonly HashSet<Upstream> _unasked = [.. upstreams];

    /// <summary>Whether each has said its one word on the digest, failures included: nothing more is to come.</summary>
    public bool HaveAllSpoken => _last.Count == upstreams.Count;

    /// <summary>Whether each has said what it has, or that it has nothing: what follows from that may be remembered.</summary>
    public bool IsSettled => HaveAllSpoken && !_last.Values.Any(answer => answer is UpstreamAnswer.Failed);

    /// <summary>Whether one that may have the path failed. Those that are away have nothing, as long as another one answers.</summary>
    public bool HasOpenFailure => _last.Values.Any(IsFailure)
        && (_last.Values.Any(answer => IsFailure(answer) && answer is UpstreamAnswer.Failed { IsAway: false })
            || _last.Values.All(IsFailure));

    /// <summary>Whether all have spoken but those that wait for a name.</summary>
    public bool IsWaitingForNames => _unasked.Count > 0 && _last.Count + _unasked.Count == upstreams.Count;

    /// <summary>Those that are to be asked now, each given once: without a name those that take any, with one those that take it.</summary>
    public IReadOnlyList<Upstream> TakeFor(StorePath? name)
    {
        var taken = _unasked.Where(upstream => name is null ? !upstream.Options.IsLimited : upstream.Options.Takes(name)).ToList();
        _unasked.ExceptWith(taken);
        return taken;
    }

    /// <summary>Those that no name has come for, each given once.</summary>
    public IReadOnlyList<Upstream> TakeRest()
    {
        var rest = _unasked.ToList();
        _unasked.Clear();
        return rest;
    }

    /// <summary>Who failed, and how, to be put after a refusal's reason; empty when nobody did.</summary>
    public string Complaint
    {
        get
        {
            var failed = upstreams.Select(upstream => _last.GetValueOrDefault(upstream) switch
            {
                null => $"{upstream.Options.Name}=no-answer",
                UpstreamAnswer.Failed { IsAway: true } => $"{upstream.Options.Name}={upstream.Health.Status}",
                UpstreamAnswer.Failed answer => $"{upstream.Options.Name}={answer.Fault}",
                _ => null,
            }).OfType<string>().ToList();
            return failed.Count is 0 ? "" : $"; failing upstreams: {string.Join(", ", failed)}";
        }
    }

    /// <summary>Takes an upstream's one word. A path whose name it is not asked for counts as none.</summary>
    public void Hear(Upstream upstream, UpstreamAnswer answer) =>
        _last[upstream] = answer is UpstreamAnswer.Found { NarInfo: var narInfo } && !upstream.Options.Takes(narInfo.StorePath)
            ? new UpstreamAnswer.Absent()
            : answer;

    /// <summary>What it said; null when it has not said anything yet.</summary>
    public UpstreamAnswer? Find(Upstream upstream) => _last.GetValueOrDefault(upstream);

    /// <summary>Where the claim's NAR comes from, by the best upstream that says it has it, else from the store; null when none has said so
    /// yet.</summary>
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

    /// <summary>What the best upstream says of a path that its content address makes, which can be checked while it streams; null when none
    /// says such a thing.</summary>
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

    private static bool IsFailure(UpstreamAnswer answer) =>
        answer is UpstreamAnswer.Failed { Fault.IsAnswer: false } or UpstreamAnswer.Failed { IsAway: true };

    private IEnumerable<Upstream> Ranked(StorePathDigest digest) => upstreams
        .OrderBy(upstream => marks.IsBad(upstream, digest))
        .ThenBy(upstream => upstream.IsDown)
        .ThenBy(upstream => upstream.Options.Priority);

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
