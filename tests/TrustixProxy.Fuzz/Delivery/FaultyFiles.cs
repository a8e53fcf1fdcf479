using System.Globalization;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>Serves the files of some outputs with one fault.</summary>
internal sealed class FaultyFiles(UpstreamFault fault, IReadOnlyDictionary<string, byte[]> files, int seed)
{
    private const string Moved = "/moved";

    private readonly HashSet<string> _cut = [];
    private readonly Random _random = new(seed);
    private int _running;

    /// <summary>How many requests for NARs it answers now.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Offset of the first byte of a file that it sends and that the right file does not have; null without one.</summary>
    public int? FirstWrongByte(string path)
    {
        var file = files[path];
        var sent = fault is UpstreamFault.Encoded ? file : fault is UpstreamFault.EmptyStreams ? [] : Twist(path, file);
        var common = file.AsSpan().CommonPrefixLength(sent);
        return common < sent.Length || fault is UpstreamFault.EmptyStreams ? common : null;
    }

    /// <summary>Answers requests for NARs; leaves others to the upstream.</summary>
    public async Task<bool> AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (!files.TryGetValue(path.Replace(Moved, "", StringComparison.Ordinal), out var file))
        {
            return false;
        }

        Interlocked.Increment(ref _running);
        try
        {
            await AnswerAsync(context, path, file);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The proxy has left.
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }

        return true;
    }

    private Task AnswerAsync(HttpContext context, string path, byte[] file)
    {
        switch (fault)
        {
            case UpstreamFault.NotFound:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            case UpstreamFault.Unavailable or UpstreamFault.Throttled:
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                context.Response.Headers.RetryAfter = fault is UpstreamFault.Throttled ? "1" : default;
                return Task.CompletedTask;
            case UpstreamFault.Redirect when !path.StartsWith(Moved, StringComparison.Ordinal):
                context.Response.Redirect(Moved + path);
                return Task.CompletedTask;
            case UpstreamFault.RedirectLoop:
                context.Response.Redirect(path);
                return Task.CompletedTask;
            case UpstreamFault.EmptyStreams:
                return SendEmptyStreamsAsync(context, path);
            default:
                return SendAsync(context, path, Twist(path, file));
        }
    }

    private byte[] Twist(string path, byte[] file) => fault switch
    {
        UpstreamFault.OtherFile => files.First(other => other.Key != path).Value,
        UpstreamFault.FlippedByte => [.. file[..(file.Length / 2)], (byte)(file[file.Length / 2] ^ 1), .. file[((file.Length / 2) + 1)..]],
        UpstreamFault.TrailingJunk => [.. file, .. Enumerable.Repeat((byte)1, 1000)], // zeros would be padding, which xz and gzip allow
        UpstreamFault.Padded => [.. file, .. EmptyStream(path), .. EmptyStream(path)],
        UpstreamFault.Short or UpstreamFault.ShortChunked => file[..(file.Length / 2)],
        UpstreamFault.Encoded => TestOutput.Compress("gzip", file),
        _ => file,
    };

    private static byte[] EmptyStream(string path) => TestOutput.Compress(Path.GetExtension(path)[1..], []);

    private static async Task SendEmptyStreamsAsync(HttpContext context, string path)
    {
        var row = Enumerable.Repeat(EmptyStream(path), 1000).SelectMany(stream => stream).ToArray();
        while (!context.RequestAborted.IsCancellationRequested && row.Length > 0)
        {
            await context.Response.Body.WriteAsync(row, context.RequestAborted);
        }
    }

    private async Task SendAsync(HttpContext context, string path, byte[] file)
    {
        if (fault is UpstreamFault.IgnoreRange or UpstreamFault.Encoded)
        {
            context.Request.Headers.Range = default;
        }

        if (!TryStart(context, file, out var start))
        {
            context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            return;
        }

        var (length, end) = (file.Length - start, EndOf(path, start, file.Length));
        var middle = start + ((end - start) / 2);
        context.Response.Headers.ContentEncoding = fault is UpstreamFault.Encoded ? "gzip" : default;
        context.Response.ContentLength = fault switch
        {
            UpstreamFault.Chunked or UpstreamFault.ShortChunked => null,
            UpstreamFault.WrongLength => length + 100,
            _ => length,
        };
        await context.Response.Body.WriteAsync(file.AsMemory(start..middle), context.RequestAborted);
        if (fault is UpstreamFault.Stall or UpstreamFault.Hang)
        {
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(fault is UpstreamFault.Stall ? 100 : Timeout.Infinite, context.RequestAborted);
        }

        await context.Response.Body.WriteAsync(file.AsMemory(middle..end), context.RequestAborted);
        if (end < file.Length || fault is UpstreamFault.WrongLength)
        {
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(10, context.RequestAborted);
            context.Abort();
        }
    }

    /// <summary>Where this connection ends.</summary>
    private int EndOf(string path, int start, int length)
    {
        lock (_cut)
        {
            return fault is UpstreamFault.CutEach ? Math.Min(length, start + (length / 3) + 1)
                : fault is UpstreamFault.CutOnce && _cut.Add(path) ? start + _random.Next(length - start)
                : length;
        }
    }

    private static bool TryStart(HttpContext context, byte[] file, out int start)
    {
        var range = context.Request.Headers.Range.ToString();
        start = 0;
        if (!range.StartsWith("bytes=", StringComparison.Ordinal))
        {
            return true;
        }

        start = int.Parse(range["bytes=".Length..range.IndexOf('-', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
        context.Response.StatusCode = StatusCodes.Status206PartialContent;
        context.Response.Headers.ContentRange = $"bytes {start}-{file.Length - 1}/{file.Length}";
        return start < file.Length;
    }
}
