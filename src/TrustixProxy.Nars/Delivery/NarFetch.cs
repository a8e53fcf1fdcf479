using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Runs one download: finds upstreams, and uses the first whose file is the agreed NAR.</summary>
/// <param name="context">Shared dependencies and limits.</param>
/// <param name="download">Receives the bodies.</param>
internal sealed class NarFetch(NarOrder order, DeliveryContext context, NarDownload download) : NarOpener
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);

    private readonly TimeProvider _time = context.Time;
    private readonly long _begin = context.Time.GetTimestamp();
    private readonly HashSet<NarCandidate> _doubted = []; // files whose length differs from the claimed one: tried last, once
    private int _otherFiles; // upstreams whose file, by its length, is another one
    private bool _isGone, _isRenewed; // gone: its narinfo was asked for a moment ago, so asking again gives the same

    /// <summary>Whether an upstream that may have the NAR failed.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Runs to the end; returns <see cref="DeliveryState.Ready"/> when a body was verified.</summary>
    public async Task<DeliveryState> RunAsync(CancellationToken cancellation)
    {
        using var turn = new DecompressionSlot(context.Turns, context.Deadline, _time);
        try
        {
            return await FetchAsync(turn, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return DeliveryState.Unavailable;
        }
        catch (Exception exception)
        {
            context.Logger.DeliveryFailed(exception, order.Claim.Path.ToString());
            return DeliveryState.Unavailable;
        }
        finally
        {
            if (download.Body is { } body)
            {
                body.Complete(new NarVerdict(NarFault.BrokenOff, null)); // no effect after a verdict
            }
        }
    }

    private async Task<DeliveryState> FetchAsync(DecompressionSlot turn, CancellationToken cancellation)
    {
        var start = _time.GetTimestamp();
        for (var pause = FirstPause; ; pause *= 2)
        {
            var (candidates, hasFailed) = await context.Finder.FindAsync(
                order, context.Deadline - _time.GetElapsedTime(start), cancellation);
            HasFailed = hasFailed;
            start += candidates.Count > 0 && await NeedsTurnAsync(candidates[0]) ? await turn.TakeAsync(cancellation) : 0;
            if (await TryAllAsync(candidates, turn, cancellation) is { } outcome)
            {
                return outcome;
            }

            if (!HasFailed || _time.GetElapsedTime(start) + pause >= context.Deadline)
            {
                Renew(isOfUse: HasFailed || !_isGone); // the next narinfo may name available bytes
                return HasFailed ? DeliveryState.Unavailable : DeliveryState.Absent;
            }

            await Task.Delay(pause, _time, cancellation);
        }
    }

    /// <summary>Tries candidates until one succeeds; null when none does.</summary>
    private async Task<DeliveryState?> TryAllAsync(List<NarCandidate> candidates, DecompressionSlot turn, CancellationToken cancellation)
    {
        var (tooShort, count) = (0, candidates.Count(candidate => candidate.IsSameFile));
        _otherFiles = 0;
        while (true)
        {
            candidates = download.Eligible(candidates);
            var race = new NarRace(this, context.Deadline / 4, _time);
            await using var source = await race.RunAsync(candidates, cancellation);
            if (source is null)
            {
                return tooShort > 0 && tooShort + _otherFiles == count ? DeliveryState.Beyond : null;
            }

            var known = await KnownFileOfAsync(source.Candidate);
            if (known is null && Decodes(source.Candidate))
            {
                await turn.TakeAsync(cancellation);
            }

            var (state, isTooShort) = await TryAsync(source, known, candidates, cancellation);
            if (state is not null)
            {
                return state;
            }

            tooShort += isTooShort && source.Candidate.IsSameFile ? 1 : 0;
        }
    }

    private async Task<bool> NeedsTurnAsync(NarCandidate candidate) => Decodes(candidate) && await KnownFileOfAsync(candidate) is null;

    private static bool Decodes(NarCandidate candidate) => candidate.NarInfo.Compression is not NarCompression.None;

    public override Task<NarSource> OpenAsync(NarCandidate candidate, CancellationToken cancellation) =>
        NarSource.OpenAsync(candidate, NarPump.MostBytes(order, null), _time, cancellation);

    public override void Refuse(NarCandidate candidate, NarFault fault) => Refuse(candidate, fault, null);

    /// <summary>Returns the URL's file if the candidate claims to have it and it is known to hold the NAR. Content that must match an
    /// address is always checked.</summary>
    private ValueTask<KnownFile?> KnownFileOfAsync(NarCandidate candidate) =>
        Decodes(candidate) && candidate is { IsSameFile: true, Decompress: false } && order.MustMatch is null
            ? context.Known.FindAsync(order.Claim.NarHash, order.Compression, order.FileHash)
            : default;

    /// <summary>Delivers one upstream's file. Returns a state when that ends the download; otherwise the next is tried.</summary>
    private async Task<(DeliveryState? State, bool IsTooShort)> TryAsync(
        NarSource source, KnownFile? known, List<NarCandidate> rest, CancellationToken cancellation)
    {
        var candidate = source.Candidate;
        var isBare = candidate.ServedCompression is NarCompression.None;
        var length = isBare ? order.Claim.NarSize : source.Encoding is NarCompression.None ? source.Size : null;
        if (known is not null && length is not null && length != known.Size)
        {
            Refuse(candidate, NarFault.FileHash, null);
            rest.Add(candidate with { IsSameFile = false });
            _otherFiles++;
            return default;
        }

        if (IsOfOtherSize(source) && rest.Exists(other => other.IsSameFile && !_doubted.Contains(other)) && _doubted.Add(candidate))
        {
            rest.Add(candidate);
            return default;
        }

        var isPlainFile = isBare && !candidate.Decompress && source.Encoding is NarCompression.None;
        if (isPlainFile && source.Size is { } said && said != length)
        {
            Refuse(candidate, said < length ? NarFault.TooShort : NarFault.TooLong, null);
            return default;
        }

        var body = new NarBody(candidate, length, context.Space);
        if (!download.TryOffer(body))
        {
            body.Complete(new NarVerdict(NarFault.TooShort, null));
            return (null, true);
        }

        source.Follow(SameFileOf(rest, candidate), isPlainFile ? length : null);
        await using var stream = Decode(source);
        var pump = new NarPump(order, body, known)
        {
            Copy = candidate.IsSameFile && order.MustMatch is null ? Keep(candidate, length) : null,
            MustBeSameFile = candidate is { IsSameFile: true, Decompress: false } && rest.Exists(other => other.IsSameFile),
            OnVerified = file => context.Known.Add(order.Claim.NarHash, order.Compression, file),
        };
        var verdict = await pump.RunAsync(stream, cancellation);
        return (Judge(body, known, verdict, rest), body.IsAbandoned);
    }

    /// <summary>Starts keeping a copy on disk, and sharing it unless it is shared already.</summary>
    private NarStoreWriter.Write? Keep(NarCandidate candidate, long? length) => context.Store?.Begin(
        StoredNar.Of(order), length, candidate.Upstream.Options.IsShared ? null : order.Claim,
        isDamaged: context.Shared is { } shared && context.BadNars.IsBad(shared, order.Claim.Path.Digest));

    /// <summary>Whether the file's length differs from the upstream's own narinfo.</summary>
    private static bool IsOfOtherSize(NarSource source) =>
        source is { Encoding: NarCompression.None, Size: { } size }
        && source.Candidate is { IsSameFile: true, Decompress: false, NarInfo.FileSize: { } told }
        && size != told;

    private DeliveryState? Judge(NarBody body, KnownFile? known, NarVerdict verdict, List<NarCandidate> rest)
    {
        var candidate = body.Source;
        if (verdict.Fault is { } fault && !body.IsAbandoned)
        {
            Refuse(candidate, fault, verdict.Sent);
            if (known is not null && fault is NarFault.FileHash)
            {
                rest.Add(candidate with { IsSameFile = false }); // its contents were not checked
            }
        }

        if (candidate is { IsSameFile: true, Decompress: false } && (verdict.FileHash ?? order.FileHash) != order.FileHash)
        {
            context.BadNars.Mark(candidate.Upstream, order.Claim.Path.Digest, NarFault.FileHash);
        }

        if (candidate.Upstream.Options.IsShared && !body.IsAbandoned)
        {
            NarStoreMetrics.ReadShared(verdict.Fault is null);
        }

        var isWanted = download.Conclude(body, verdict);
        if (verdict.Fault is null)
        {
            Renew(isOfUse: _isGone); // the cached decision names an upstream that no longer has it
            return DeliveryState.Ready;
        }

        if (isWanted && rest.Count > 0)
        {
            UpstreamMetrics.DownloadRestarted(candidate.Upstream.Options.Name);
        }

        return isWanted ? null : DeliveryState.Unavailable;
    }

    /// <summary>Returns the candidates that claim the same file and can resume it where this one breaks off.</summary>
    private static IEnumerable<NarCandidate> SameFileOf(List<NarCandidate> rest, NarCandidate candidate)
    {
        var hash = FileHashOf(candidate);
        return hash is null ? []
            : rest.Where(other => FileHashOf(other) == hash && other.NarInfo.Compression == candidate.NarInfo.Compression);
    }

    /// <summary>Returns the file's hash as the upstream claims it; for an uncompressed file that is the NAR's hash.</summary>
    private static NixHash? FileHashOf(NarCandidate candidate) =>
        Decodes(candidate) ? candidate.NarInfo.FileHash : candidate.NarInfo.NarHash;

    private static Stream Decode(NarSource source)
    {
        var file = NarCompression.OpenEncoded(source.Encoding, source);
        return source.Candidate.Decompress ? NarCompression.Open(source.Candidate.NarInfo.Compression, file) : file;
    }

    /// <summary>Records why an upstream's NAR was rejected. The next narinfo names another upstream's NAR, if there is one.</summary>
    private void Refuse(NarCandidate candidate, NarFault fault, NixHash? sent)
    {
        var (upstream, path) = (candidate.Upstream, order.Claim.Path);
        HasFailed |= fault is NarFault.Unreachable or NarFault.BrokenOff && !upstream.Options.IsShared;
        if (fault is NarFault.BrokenOff)
        {
            upstream.NoteNarFailure(new UpstreamFault(UpstreamFailure.ConnectionReset));
        }

        var isGone = fault is NarFault.Gone && !upstream.ForgetOlder(path.Digest, _begin);
        _isGone |= isGone;
        if (!isGone)
        {
            upstream.Forget(path.Digest);
        }

        context.BadNars.Mark(upstream, path.Digest, fault);
        context.Refused.Add(upstream.Options.Name, order.Claim, fault, sent);
        context.Logger.NarRefused(path.ToString(), upstream.Options.Name, fault);
        UpstreamMetrics.NarRefused(upstream.Options.Name, fault);
        Renew(isOfUse: !isGone && fault is not (NarFault.Unreachable or NarFault.BrokenOff));
    }

    /// <summary>Requests one new decision. It asks upstreams, so only where their answers can have changed.</summary>
    private void Renew(bool isOfUse)
    {
        if (isOfUse && !_isRenewed)
        {
            _isRenewed = true;
            context.OnRefused(order);
        }
    }
}
