using System.Net;
using System.Net.Http.Headers;

namespace TrustixProxy.Simulation;

/// <summary>Carries the proxy's requests to logs and caches in this process, in virtual time.</summary>
internal sealed class SimulatedNetwork(VirtualTime time) : HttpMessageHandler
{
    private static readonly MediaTypeHeaderValue Proto = new("application/proto"), Json = new("application/json"), Html = new("text/html");

    public Dictionary<string, SimulatedLog> Logs { get; } = [];

    public Dictionary<string, SimulatedCache> Caches { get; } = [];

    /// <summary>Logs that are files, by their hosts: each gives a file's bytes by its name, or null.</summary>
    public Dictionary<string, Func<string, byte[]?>> Files { get; } = [];

    /// <summary>How long each host takes to answer.</summary>
    public Dictionary<string, TimeSpan> Latencies { get; } = [];

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var host = request.RequestUri!.Host;
        if (Latencies.GetValueOrDefault(host) is var latency && latency > TimeSpan.Zero)
        {
            await Task.Delay(latency, time, cancellationToken);
        }

        if (Files.TryGetValue(host, out var files))
        {
            return files(request.RequestUri.AbsolutePath.TrimStart('/')) is { } file
                ? Of(HttpStatusCode.OK, new ByteArrayContent(file), Proto) : Of(HttpStatusCode.NotFound, new ByteArrayContent([]), Html);
        }

        var method = Path.GetFileName(request.RequestUri.AbsolutePath);
        if (method is "checkpoint" && Logs.TryGetValue(host, out var witnessed))
        {
            var isMapHeads = request.RequestUri.AbsolutePath.EndsWith("/mapheads/checkpoint", StringComparison.Ordinal);
            return witnessed.CheckpointOf?.Invoke(isMapHeads) is { } note
                ? Of(HttpStatusCode.OK, new ByteArrayContent(note), Html) : Of(HttpStatusCode.NotFound, new ByteArrayContent([]), Html);
        }

        return Logs.TryGetValue(host, out var log)
            ? await CarryAsync(log, method, await request.Content!.ReadAsByteArrayAsync(cancellationToken), cancellationToken)
            : await CarryAsync(Caches[host], method.Replace(".narinfo", "", StringComparison.Ordinal), cancellationToken);
    }

    private async Task<HttpResponseMessage> CarryAsync(SimulatedLog log, string method, byte[] body, CancellationToken cancellation)
    {
        switch (log.Lie)
        {
            case Lie.Hang or Lie.SilentNetwork:
                await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellation);
                break;
            case Lie.Reset or Lie.CutOff:
                throw new HttpRequestException("reset");
            case Lie.Huge:
                var huge = Of(HttpStatusCode.OK, new StreamContent(new SlowStream(time, TimeSpan.Zero)), Proto);
                huge.Content.Headers.ContentLength = method is "Lookup" ? 100 << 20 : null;
                return huge;
            case Lie.Drip:
                return Of(HttpStatusCode.OK, new StreamContent(new SlowStream(time, TimeSpan.FromMilliseconds(8))), Proto);
            case Lie.Html:
                return Of(HttpStatusCode.OK, new ByteArrayContent("<html>"u8.ToArray()), Html);
        }

        var (bytes, isError) = log.Answer(method, body);
        return isError ? Of(HttpStatusCode.InternalServerError, new ByteArrayContent(bytes), Json)
            : Of(HttpStatusCode.OK, new ByteArrayContent(bytes), Proto);
    }

    private async Task<HttpResponseMessage> CarryAsync(SimulatedCache cache, string digest, CancellationToken cancellation)
    {
        switch (cache.Lie)
        {
            case Lie.CacheHang or Lie.UpstreamHang:
                await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellation);
                break;
            case Lie.CacheReset or Lie.UpstreamReset:
                throw new HttpRequestException("reset");
            case Lie.CacheError:
                return Of(HttpStatusCode.InternalServerError, new ByteArrayContent([]), Html);
        }

        return cache.Answer(digest) is { } bytes ? Of(HttpStatusCode.OK, new ByteArrayContent(bytes), Html)
            : Of(HttpStatusCode.NotFound, new ByteArrayContent([]), Html);
    }

    private static HttpResponseMessage Of(HttpStatusCode status, HttpContent content, MediaTypeHeaderValue type)
    {
        content.Headers.ContentType = type;
        return new HttpResponseMessage(status) { Content = content };
    }

    /// <summary>Bytes without end: at once, or one after the other.</summary>
    private sealed class SlowStream(VirtualTime time, TimeSpan pause) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (pause == TimeSpan.Zero)
            {
                return buffer.Length;
            }

            await Task.Delay(pause, time, cancellationToken);
            return Math.Min(1, buffer.Length);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
