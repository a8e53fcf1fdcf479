using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;

namespace TrustixProxy.AptGate.Archives;

/// <summary>The part of a client's request headers that an archive is told: which bytes are wanted, and if what has changed. Read and
/// written anew; nothing else of a client goes to an archive.</summary>
/// <param name="IfModifiedSince">The file is wanted if it was changed since; null for always.</param>
/// <param name="From">Offset of the first byte that is wanted; null for the whole file.</param>
/// <param name="IfRange">The range is wanted if the file has this time of the last change, else the whole file; null for any
/// time.</param>
public sealed record ArchiveCondition(DateTimeOffset? IfModifiedSince, long? From, DateTimeOffset? IfRange)
{
    /// <summary>The whole file, always.</summary>
    public static ArchiveCondition None { get; } = new(null, null, null);

    /// <summary>Whether the answer can only be the whole file.</summary>
    public bool IsWhole => From is null;

    /// <summary>Reads a request's headers; what apt does not send is left out, as HTTP allows.</summary>
    public static ArchiveCondition Of(HttpRequest request)
    {
        var headers = new RequestHeaders(request.Headers);
        var range = headers.Range is { Unit.Value: "bytes", Ranges.Count: 1 } given ? given.Ranges.Single() : null;
        var isUsable = range is { From: not null, To: null } && headers.IfRange is null or { EntityTag: null };
        return new ArchiveCondition(
            headers.IfModifiedSince, isUsable ? range?.From : null, isUsable ? headers.IfRange?.LastModified : null);
    }
}
