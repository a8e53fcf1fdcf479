using TrustixProxy.IO.Streams;

namespace TrustixProxy.AptGate.Delivery;

/// <summary>The bytes of a fetch as they come, before the verdict. For readers here; nothing of it leaves.</summary>
/// <param name="fetch">A fetch that was entered; left when this is disposed.</param>
public sealed class FetchedBytes(FileFetch fetch) : ReadOnlyStream
{
    private long _offset;
    private bool _isDisposed;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await fetch.ReadAsync(_offset, buffer, isUnverified: true, cancellationToken);
        _offset += read;
        return read;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            fetch.Leave();
        }

        base.Dispose(disposing);
    }
}
