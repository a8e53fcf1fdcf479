using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Collects the upstreams' answers on one digest.</summary>
internal sealed class UpstreamPoll(IReadOnlyList<Upstream> upstreams, BadNarMemory badNars, NarStore? store)
{
    private readonly Dictionary<Upstream, UpstreamAnswer> _last = [];
    private readonly HashSet<Upstream> _unasked = [.. upstreams];

    /// <summary>Whether every upstream has answered or failed; no more answers will come.</summary>
    public bool HaveAllSpoken => _last.Count == upstreams.Count;

    /// <summary>Whether every upstream answered with a narinfo or absence, so that the result may be cached.</summary>
    public bool IsSettled => HaveAllSpoken && !_last.Values.Any(answer => answer is UpstreamAnswer.Failed);

    /// <summary>Whether an upstream that may have the path failed. Upstreams that are down do not count while another answers.</summary>
    public bool HasOpenFailure => _last.Values.Any(IsFailure)
        && (_last.Values.Any(answer => IsFailure(answer) && answer is UpstreamAnswer.Failed { IsAway: false })
            || _last.Values.All(IsFailure));

    /// <summary>Whether all upstreams answered except those waiting for a name.</summary>
    public bool IsWaitingForNames => _unasked.Count > 0 && _last.Count + _unasked.Count == upstreams.Count;

    /// <summary>Returns the upstreams to query now, each once: without a name those that match any name, with a name those that match
    /// it.</summary>
    public IReadOnlyList<Upstream> TakeFor(StorePath? name)
    {
        var taken = _unasked.Where(upstream => name is null ? !upstream.Options.IsLimited : upstream.Options.Takes(name)).ToList();
        _unasked.ExceptWith(taken);
        return taken;
    }

    /// <summary>Returns the upstreams still waiting for a name, each once.</summary>
    public IReadOnlyList<Upstream> TakeRest()
    {
        var rest = _unasked.ToList();
        _unasked.Clear();
        return rest;
    }

    /// <summary>Lists failed upstreams for the end of a refusal's reason; empty if none failed.</summary>
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

    /// <summary>Records an upstream's answer. A path name outside its match counts as absent; a NAR that cannot be verified is not
    /// offered.</summary>
    public void Hear(Upstream upstream, UpstreamAnswer answer) => _last[upstream] = answer switch
    {
        UpstreamAnswer.Found { NarInfo: var narInfo } when !upstream.Options.Takes(narInfo.StorePath) => new UpstreamAnswer.Absent(),
        UpstreamAnswer.Found { NarInfo: var narInfo } when !NarCompression.IsDecodable(narInfo.Compression) =>
            new UpstreamAnswer.Failed(new UpstreamFault(UpstreamFailure.UnsupportedCompression)),
        _ => answer,
    };

    /// <summary>Its answer; null before it has answered.</summary>
    public UpstreamAnswer? Find(Upstream upstream) => _last.GetValueOrDefault(upstream);

    /// <summary>Returns the derivations that upstreams name for a path.</summary>
    public ImmutableArray<StorePath> DeriversOf(StorePath? path) =>
    [
        .. _last.Values.OfType<UpstreamAnswer.Found>().Where(answer => answer.NarInfo.StorePath == path)
            .Select(answer => answer.NarInfo.Deriver).OfType<StorePath>().Distinct(),
    ];

    /// <summary>Finds a source for the claim's NAR: the best upstream that has it, else the store; null if none has confirmed
    /// yet.</summary>
    /// <param name="mustBeBest">Whether to wait for a better-ranked upstream that has not answered yet.</param>
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

    /// <summary>Finds the best upstream's content-addressed claim, which can be verified while streaming; null if there is none.</summary>
    public (OutputClaim Claim, NarHints Hints)? FindContentAddressed(StorePathDigest digest)
    {
        foreach (var upstream in Ranked(digest))
        {
            if (_last.GetValueOrDefault(upstream) is UpstreamAnswer.Found { NarInfo: var narInfo }
                && narInfo.ContentAddress is { IsCheckable: true } && upstream.AddressOf(narInfo) is not null
                && !badNars.HasOtherContent(upstream, digest)
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
        .OrderBy(upstream => badNars.IsBad(upstream, digest))
        .ThenBy(upstream => upstream.IsDown)
        .ThenBy(upstream => upstream.Options.Priority);

    /// <summary>Extracts from a narinfo the hints that may accompany the claim: its URL parts and fields that are well formed and
    /// consistent.</summary>
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
