using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>What one step of a <see cref="Decoder"/> came to.</summary>
public enum DecodeStatus
{
    /// <summary>It went on: bytes were read, written, or both; or it wants more input.</summary>
    More,

    /// <summary>A compressed stream ended here; another one may follow it.</summary>
    End,

    /// <summary>The input is not of this format, is damaged, or wants more memory than a window of 128 MiB.</summary>
    Malformed,
}

/// <summary>One decompression in progress: bytes in, bytes out, no stream and no thread of its own.</summary>
/// <remarks>Disposing it is safe at any time, also while another thread decodes: the native state is freed when that call returns.
/// A call that begins after the disposal throws <see cref="ObjectDisposedException"/>.</remarks>
public abstract class Decoder : SafeHandle
{
    /// <summary>The largest window that a stream may ask for, in bytes; larger ones are refused as malformed.</summary>
    public const int MaxWindow = 128 << 20;

    private protected Decoder()
        : base(0, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle is 0;

    /// <summary>Decodes some of <paramref name="source"/> into <paramref name="destination"/>.</summary>
    /// <param name="source">Compressed bytes; may be empty, to fetch what is still held back.</param>
    /// <param name="destination">Receives decompressed bytes; not empty.</param>
    /// <param name="consumed">How many bytes of the source were used up.</param>
    /// <param name="written">How many bytes of the destination were filled.</param>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodeStatus Decode(ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        var isHeld = false;
        try
        {
            DangerousAddRef(ref isHeld); // the override reads and writes native memory around the native call
            return DecodeCore(source, destination, out consumed, out written);
        }
        finally
        {
            Release(isHeld);
        }
    }

    /// <summary>Prepares for the first stream, or for the next one (all formats but brotli may be concatenated).</summary>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public void Restart()
    {
        var isHeld = false;
        try
        {
            DangerousAddRef(ref isHeld);
            RestartCore();
        }
        finally
        {
            Release(isHeld);
        }
    }

    /// <summary>Zero bytes after a stream come in multiples of this number; 0 where the format allows none.</summary>
    internal virtual int PaddingUnit => 0;

    private protected abstract DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written);

    private protected abstract void RestartCore();

    private void Release(bool isHeld)
    {
        if (isHeld)
        {
            DangerousRelease();
        }
    }
}
