using TrustixProxy.AptGate.Delivery;
using TrustixProxy.AptGate.Storage;

namespace TrustixProxy.AptGate.Serving;

/// <summary>The bytes of a file whose SHA-256 is known: from the store, or as an archive sends them.</summary>
internal sealed class FileContent : IDisposable
{
    private readonly StoredFile? _stored;
    private readonly FileFetch? _fetch;

    /// <param name="stored">The file; owned.</param>
    public FileContent(StoredFile stored) => (_stored, Length, ModifiedAt) = (stored, stored.Size, stored.ModifiedAt);

    /// <param name="fetch">A fetch that was entered; left when this is disposed.</param>
    /// <param name="length">Length of the file.</param>
    /// <param name="modifiedAt">When the archive says it was last changed.</param>
    public FileContent(FileFetch fetch, long length, DateTimeOffset? modifiedAt) =>
        (_fetch, Length, ModifiedAt) = (fetch, length, modifiedAt);

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>When the archive says it was last changed; null when it does not say.</summary>
    public DateTimeOffset? ModifiedAt { get; }

    /// <summary>Reads bytes that may leave; 0 at the end.</summary>
    /// <exception cref="IOException">They do not come, or are not the file.</exception>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellation) =>
        _fetch is not null ? _fetch.ReadAsync(offset, buffer, isUnverified: false, cancellation)
            : RandomAccess.ReadAsync(
                _stored!.Handle, buffer[..(int)Math.Min(buffer.Length, Math.Max(0, Length - offset))], offset, cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _stored?.Dispose();
        _fetch?.Leave();
    }
}
