using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Aborts long answers whose client reads too slowly.</summary>
/// <remarks>Kestrel's minimum rate averages over the connection: after a fast 100 MB, a client could stall for a day. Here each write has
/// its own time limit.</remarks>
internal sealed class SlowClientGuard : WriteOnlyStream
{
    /// <summary>Maximum bytes buffered before a write: the server's buffer.</summary>
    private const int Ahead = 64 << 10;

    private readonly int _leastBytesPerSecond;
    private readonly TimeSpan _grace;
    private readonly ITimer _end;

    private SlowClientGuard(Stream body, HttpContext context, FrontDoorOptions options, TimeProvider time)
        : base(body)
    {
        (_leastBytesPerSecond, _grace) = (options.LeastBytesPerSecond, options.SlownessGrace);
        _end = time.CreateTimer(_ => context.Abort(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Routes the response body through a guard; dispose it when the response ends.</summary>
    public static SlowClientGuard Watch(HttpContext context, FrontDoorOptions options, TimeProvider time)
    {
        var body = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        var steady = new SlowClientGuard(body.Stream, context, options, time);
        context.Features.Set<IHttpResponseBodyFeature>(new WrappedBody(steady, body));
        return steady;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var writing = Body.WriteAsync(buffer, cancellationToken);
        return writing.IsCompletedSuccessfully ? writing : WaitAsync(writing, buffer.Length);
    }

    protected override void Dispose(bool disposing)
    {
        _end.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask WaitAsync(ValueTask writing, int count)
    {
        _end.Change(_grace + TimeSpan.FromSeconds((double)(Ahead + count) / _leastBytesPerSecond), Timeout.InfiniteTimeSpan);
        await writing;
        _end.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
