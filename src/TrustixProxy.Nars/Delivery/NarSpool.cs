using Microsoft.Win32.SafeHandles;

namespace TrustixProxy.Nars.Delivery;

/// <summary>The beginning of one download on the disk, for readers that are not up to date.</summary>
public sealed class NarSpool(SpoolSpace space, SafeFileHandle handle) : IDisposable
{
    private long _size;

    /// <summary>Appends bytes; false when the disk takes no more. The caller writes one piece at a time.</summary>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        if (!space.TryReserve(bytes.Length))
        {
            return false;
        }

        try
        {
            RandomAccess.Write(handle, bytes, _size);
            _size += bytes.Length;
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            space.Release(bytes.Length);
            return false;
        }
    }

    /// <summary>Reads at an offset. It never runs on the caller's thread, which may be one that waits for sockets.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellation) =>
        RandomAccess.ReadAsync(handle, buffer, offset, cancellation);

    public void Dispose()
    {
        handle.Dispose();
        space.Release(Interlocked.Exchange(ref _size, 0));
    }
}
