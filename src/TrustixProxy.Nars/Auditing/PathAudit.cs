using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>What one try to check a path gave.</summary>
/// <param name="MayChange">Whether the next try may give another result.</param>
/// <param name="NarInfo">The narinfo when it and its NAR were right; otherwise null.</param>
internal sealed record AuditTry(AuditedPath Path, bool MayChange, NarInfo? NarInfo = null);

/// <summary>Fetches the narinfo and the NAR of a path, and checks them.</summary>
/// <param name="onFound">Called with the path's narinfo before its NAR is fetched.</param>
internal sealed class PathAudit(Upstream cache, NarAudit nars, ByteRate rate, Action<NarInfo> onFound)
{
    /// <summary>Checks a path once.</summary>
    public async Task<AuditTry> TryAsync(StorePath path, CancellationToken cancellation)
    {
        switch (await cache.AskAsync(path.Digest, cancellation))
        {
            case UpstreamAnswer.Found { NarInfo: var narInfo } when narInfo.StorePath == path:
                onFound(narInfo);
                await rate.TakeAsync(narInfo.ToString().Length, cancellation);
                return await TryAsync(narInfo, cancellation);
            case UpstreamAnswer.Found { NarInfo: var narInfo }:
                return Wrong(path, new CacheFault(CacheFaultKind.Narinfo, narInfo.StorePath.Absolute, "the answer for another path"));
            case UpstreamAnswer.Failed { Fault: { Kind: UpstreamFailure.NarinfoOfAnotherPath or UpstreamFailure.NarinfoTooLarge } fault }:
                return Wrong(path, new CacheFault(CacheFaultKind.Narinfo, "a narinfo", fault.Word));
            case UpstreamAnswer.Failed { Fault: var fault }:
                return Unknown(path, fault, []);
            default:
                return new AuditTry(new AuditedPath(path, AuditVerdict.Absent, []), MayChange: false);
        }
    }

    private async Task<AuditTry> TryAsync(NarInfo narInfo, CancellationToken cancellation)
    {
        var path = narInfo.StorePath;
        var known = nars.JudgeSignatures(narInfo, out var address);
        try
        {
            var faults = await nars.RunAsync(narInfo, address, cancellation);
            return known.Count + faults.Count > 0 ? Wrong(path, [.. known, .. faults])
                : new AuditTry(new AuditedPath(path, AuditVerdict.Right, []), MayChange: false, narInfo);
        }
        catch (NoNarException exception) when (exception.Cause is { Kind: UpstreamFailure.NarMissing })
        {
            return Wrong(path, [.. known, new CacheFault(CacheFaultKind.NarMissing, $"URL {narInfo.Url}", exception.Message)]);
        }
        catch (NoNarException exception)
        {
            return Unknown(path, exception.Cause ?? new UpstreamFault(
                exception.Fault is NarFault.Gone ? UpstreamFailure.UnknownEncoding : UpstreamFailure.Silent), known);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            return Unknown(path, UpstreamFaultException.FaultOf(exception), known);
        }
    }

    private static AuditTry Wrong(StorePath path, params CacheFault[] faults) =>
        new(new AuditedPath(path, AuditVerdict.Wrong, faults), MayChange: false);

    /// <param name="known">What does not hold of the narinfo itself.</param>
    private static AuditTry Unknown(StorePath path, UpstreamFault fault, IReadOnlyList<CacheFault> known) => new(
        new AuditedPath(path, known.Count > 0 ? AuditVerdict.Wrong : AuditVerdict.Unknown, known, fault.ToString()),
        !fault.IsAnswer || fault.Kind is UpstreamFailure.Throttled);
}
