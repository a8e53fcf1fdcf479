using Microsoft.Win32.SafeHandles;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Holds the beginning of one download on disk, for readers that are behind.</summary>
public sealed class NarSpool(SpoolSpace space, SafeFileHandle handle) : IDisposable
{
    private long _size;

    /// <summary>Appends bytes; false when the disk takes no more. Only one caller writes at a time.</summary>
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

    /// <summary>Reads at an offset, never on the caller's thread, which may serve sockets.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellation) =>
        RandomAccess.ReadAsync(handle, buffer, offset, cancellation);

    public void Dispose()
    {
        handle.Dispose();
        space.Release(Interlocked.Exchange(ref _size, 0));
    }
}
