using TrustixProxy.IO.Streams;

namespace TrustixProxy.AptGate.Serving;

/// <summary>A file's content as a stream; disposes it.</summary>
internal sealed class ContentStream(FileContent content) : ReadOnlyStream
{
    private long _offset;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await content.ReadAsync(_offset, buffer, cancellationToken);
        _offset += read;
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            content.Dispose();
        }

        base.Dispose(disposing);
    }
}
