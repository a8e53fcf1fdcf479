using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace TrustixProxy.Nars;

/// <summary>The bytes of a NAR's file that a request asks for: one range, or all. Other Range headers are ignored, as HTTP
/// allows.</summary>
public sealed class RequestedRange
{
    private const string ContentType = "application/x-nix-nar";

    private readonly RangeItemHeaderValue? _range;

    public RequestedRange(HttpRequest request)
    {
        var headers = new RequestHeaders(request.Headers);
        var isRange = headers.Range is { Unit.Value: "bytes", Ranges.Count: 1 } && request.Headers.IfRange.Count is 0;
        _range = isRange ? headers.Range!.Ranges.Single() : null;
    }

    private RequestedRange()
    {
    }

    /// <summary>The whole file.</summary>
    public static RequestedRange All { get; } = new();

    public bool IsWhole => _range is null;

    /// <summary>Resolves the range against a file's length, null when unknown; false when the file has no such bytes.</summary>
    public bool TryResolve(long? length, out ByteRange range)
    {
        range = ByteRange.All;
        if (_range is null || length is not { } total)
        {
            return true;
        }

        var start = _range.From ?? Math.Max(0, total - _range.To!.Value);
        var end = _range.From is null ? total : Math.Min(_range.To ?? long.MaxValue - 1, total - 1) + 1;
        range = new ByteRange(start, end);
        return start < end;
    }

    /// <summary>Writes the response headers.</summary>
    /// <param name="length">Length of the whole file; null when unknown.</param>
    /// <param name="range">The bytes sent.</param>
    /// <param name="isSameFile">Whether they are the exact bytes that the URL names, which allows ranges.</param>
    public static void WriteHead(HttpResponse response, long? length, ByteRange range, bool isSameFile)
    {
        var isPartial = range != ByteRange.All;
        response.StatusCode = isPartial ? StatusCodes.Status206PartialContent : StatusCodes.Status200OK;
        response.ContentType = ContentType;
        response.ContentLength = isPartial ? range.End - range.Start : length;
        if (isSameFile)
        {
            response.Headers.AcceptRanges = "bytes";
        }

        if (isPartial)
        {
            response.Headers.ContentRange = $"bytes {range.Start}-{range.End - 1}/{length}";
        }
    }

    /// <summary>Responds that a file of this length has no such bytes (416).</summary>
    public static void Refuse(HttpResponse response, long length)
    {
        response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
        response.Headers.ContentRange = $"bytes */{length}";
    }
}
