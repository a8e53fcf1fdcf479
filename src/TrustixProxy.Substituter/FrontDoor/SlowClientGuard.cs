using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>A long answer's body, whose client is given up when it takes it too slowly.</summary>
/// <remarks>Kestrel's own least rate is one over the whole connection: who was fast with the first 100 MB could be silent for a day. Here
/// each write has to end in its own time.</remarks>
internal sealed class SlowClientGuard : WriteOnlyStream
{
    /// <summary>What waits before a write at the most: the server's buffer.</summary>
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

    /// <summary>Has the answer written through such a stream from now on; disposed when it has been.</summary>
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
