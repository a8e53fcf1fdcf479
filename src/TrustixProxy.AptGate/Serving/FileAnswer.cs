using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Answers with a file, or the part of it that a client lacks: apt goes on with downloads that broke off.</summary>
internal static class FileAnswer
{
    private const int BufferSize = 64 << 10;

    /// <summary>Answers with a file. When its bytes fail before one has left, the answer says so; later, the connection is cut.</summary>
    /// <param name="sha256">SHA-256 of the file, in hexadecimal.</param>
    public static async Task WriteAsync(HttpContext context, FileContent content, string sha256)
    {
        var (start, end) = WriteHead(context, content, sha256);
        if (start >= end || HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (start < end)
            {
                var room = buffer.AsMemory(0, (int)Math.Min(BufferSize, end - start));
                var read = await content.ReadAsync(start, room, context.RequestAborted);
                if (read is 0)
                {
                    throw new IOException("the file ends early");
                }

                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
                start += read;
            }
        }
        catch (IOException exception) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            await context.FailAsync(StatusCodes.Status502BadGateway, $"Bad file: {exception.Message}");
        }
        catch (IOException)
        {
            context.Abort(); // what left cannot be taken back; apt must see that it is not whole
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Writes status and headers; returns the bytes to send.</summary>
    private static (long Start, long End) WriteHead(HttpContext context, FileContent content, string sha256)
    {
        var (request, response) = (new RequestHeaders(context.Request.Headers), context.Response);
        var (length, tag) = (content.Length, new EntityTagHeaderValue($"\"{sha256}\""));
        var headers = response.GetTypedHeaders();
        (headers.ETag, headers.LastModified, response.Headers.AcceptRanges) = (tag, content.ModifiedAt, "bytes");
        if (IsKnown(request, tag, content.ModifiedAt))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return (0, 0);
        }

        var (start, end) = RangeOf(request, tag, content);
        if (start >= length && start > 0)
        {
            response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            response.Headers.ContentRange = $"bytes */{length}";
            response.ContentLength = 0;
            return (0, 0);
        }

        var isPart = start > 0 || end < length;
        response.StatusCode = isPart ? StatusCodes.Status206PartialContent : StatusCodes.Status200OK;
        response.ContentLength = end - start;
        if (isPart)
        {
            response.Headers.ContentRange = $"bytes {start}-{end - 1}/{length}";
        }

        return (start, end);
    }

    /// <summary>Whether the client has the file already.</summary>
    private static bool IsKnown(RequestHeaders request, EntityTagHeaderValue tag, DateTimeOffset? modifiedAt) =>
        request.IfNoneMatch is { Count: > 0 } tags
            ? tags.Any(known => known.Compare(tag, useStrongComparison: false) || known.Equals(EntityTagHeaderValue.Any))
            : request.IfModifiedSince is { } since && modifiedAt is { } at && at <= since;

    /// <summary>The bytes that are asked for: all, unless it is one range of the same file.</summary>
    private static (long Start, long End) RangeOf(RequestHeaders request, EntityTagHeaderValue tag, FileContent content)
    {
        if (request.Range is not { Unit.Value: "bytes", Ranges.Count: 1 } ranges || !IsSame(request.IfRange, tag, content.ModifiedAt))
        {
            return (0, content.Length);
        }

        var range = ranges.Ranges.Single();
        return range.From is { } from ? (from, Math.Min(range.To ?? long.MaxValue - 1, content.Length - 1) + 1)
            : (Math.Max(0, content.Length - range.To!.Value), content.Length);
    }

    /// <summary>Whether what the client has a part of is this file.</summary>
    private static bool IsSame(RangeConditionHeaderValue? condition, EntityTagHeaderValue tag, DateTimeOffset? modifiedAt) =>
        condition is null || (condition.EntityTag is { } known ? known.Compare(tag, useStrongComparison: true)
            : condition.LastModified == modifiedAt && modifiedAt is not null);
}
