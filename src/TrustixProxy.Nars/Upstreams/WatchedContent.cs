using System.Net;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>A response body whose bytes are signs of life, and whose end releases the request's slot.</summary>
internal sealed class WatchedContent : HttpContent
{
    private readonly HttpContent _content;
    private readonly UpstreamHealth _health;
    private IDisposable? _turn;

    /// <param name="turn">Released when the body ends or is disposed; null without one.</param>
    /// <param name="health">Notified of signs of life.</param>
    public WatchedContent(HttpContent content, IDisposable? turn, UpstreamHealth health)
    {
        (_content, _turn, _health) = (content, turn, health);
        foreach (var (name, values) in content.Headers.NonValidated)
        {
            Headers.TryAddWithoutValidation(name, values);
        }
    }

    protected override async Task<Stream> CreateContentReadStreamAsync() => new WatchedStream(await _content.ReadAsStreamAsync(), this);

    protected override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
        new WatchedStream(await _content.ReadAsStreamAsync(cancellationToken), this);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _content.CopyToAsync(stream, context);

    protected override bool TryComputeLength(out long length)
    {
        length = _content.Headers.ContentLength ?? 0;
        return _content.Headers.ContentLength is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            End();
            _content.Dispose();
        }

        base.Dispose(disposing);
    }

    private void End() => Interlocked.Exchange(ref _turn, null)?.Dispose();

    private sealed class WatchedStream(Stream inner, WatchedContent content) : ReadOnlyStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            See(await inner.ReadAsync(buffer, cancellationToken), buffer.Length);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                content.End();
                inner.Dispose();
            }

            base.Dispose(disposing);
        }

        private int See(int read, int wanted)
        {
            content._health.ReportLife();
            if (read is 0 && wanted > 0)
            {
                content.End();
            }

            return read;
        }
    }
}
