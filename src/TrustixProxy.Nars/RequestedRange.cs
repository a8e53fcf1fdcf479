using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace TrustixProxy.Nars;

/// <summary>Which bytes of a NAR's file a request asks for: one range, or all of it. Whatever else it says is passed over, as HTTP
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

    public bool IsWhole => _range is null;

    /// <summary>Which bytes are wanted of a file of a length, null when that is not known; false when there are no such bytes.</summary>
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

    /// <summary>Says what is sent.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="length">How long the whole file is; null when that is not known.</param>
    /// <param name="range">Which bytes of it are sent.</param>
    /// <param name="isSameFile">Whether they are the very bytes that the URL names, of which ranges may be asked.</param>
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

    /// <summary>Says that there are no such bytes in a file of this length.</summary>
    public static void Refuse(HttpResponse response, long length)
    {
        response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
        response.Headers.ContentRange = $"bytes */{length}";
    }
}
