using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>The result of one step of a <see cref="Decoder"/>.</summary>
public enum DecodeStatus
{
    /// <summary>Bytes were read, written, or both; or more input is needed.</summary>
    More,

    /// <summary>A compressed stream ended; another may follow.</summary>
    End,

    /// <summary>The input has another format, is damaged, or needs a window larger than 128 MiB.</summary>
    Malformed,
}

/// <summary>One decompression in progress: bytes in, bytes out, without a stream or thread of its own.</summary>
/// <remarks>Disposing it is always safe, even while another thread decodes: the native state is freed when that call returns. A call that
/// begins after the disposal throws <see cref="ObjectDisposedException"/>.</remarks>
public abstract class Decoder : SafeHandle
{
    /// <summary>Maximum window size of a stream, in bytes; streams with a larger one are malformed.</summary>
    public const int MaxWindow = 128 << 20;

    private protected Decoder()
        : base(0, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle is 0;

    /// <summary>Decodes some of <paramref name="source"/> into <paramref name="destination"/>.</summary>
    /// <param name="source">Compressed bytes; may be empty, to fetch buffered output.</param>
    /// <param name="destination">Receives decompressed bytes; not empty.</param>
    /// <param name="consumed">Number of bytes read from the source.</param>
    /// <param name="written">Number of bytes written to the destination.</param>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodeStatus Decode(ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        var isHeld = false;
        try
        {
            DangerousAddRef(ref isHeld); // the override uses native memory around the native call
            return DecodeCore(source, destination, out consumed, out written);
        }
        finally
        {
            Release(isHeld);
        }
    }

    /// <summary>Prepares for the first or next stream.</summary>
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

    /// <summary>Zero bytes after a stream come in multiples of this number; 0 if the format allows none.</summary>
    internal virtual int PaddingUnit => 0;

    /// <summary>Number of bytes that <see cref="BeginsStream"/> examines.</summary>
    internal virtual int StartSize => 1;

    /// <summary>Whether bytes after a stream begin another one. Like Nix, ignores what follows the last stream of some formats.</summary>
    /// <param name="next">The next bytes; fewer than <see cref="StartSize"/> only at the end of the input.</param>
    internal virtual bool BeginsStream(ReadOnlySpan<byte> next) => true;

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
