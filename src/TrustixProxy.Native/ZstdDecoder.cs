using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Decodes zstd frames with libzstd (<c>zstd.h</c>).</summary>
public sealed unsafe partial class ZstdDecoder : Decoder
{
    private const int WindowLogMax = 100; // ZSTD_d_windowLogMax

    static ZstdDecoder() => NativeLibraries.Register();

    /// <summary>Creates a decoder.</summary>
    public ZstdDecoder()
    {
        SetHandle(Create());
        if (IsInvalid)
        {
            throw new InsufficientMemoryException("libzstd could not start a decoder.");
        }

        SetParameter(this, WindowLogMax, int.Log2(MaxWindow));
    }

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        fixed (byte* input = source, output = destination)
        {
            var from = new Buffer { Start = input, Size = (nuint)source.Length };
            var to = new Buffer { Start = output, Size = (nuint)destination.Length };
            var result = Decompress(this, &to, &from);
            (consumed, written) = ((int)from.Position, (int)to.Position);
            return IsError(result) != 0 ? DecodeStatus.Malformed : result is 0 ? DecodeStatus.End : DecodeStatus.More;
        }
    }

    private protected override void RestartCore() => Reset(this, 1); // ZSTD_reset_session_only

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        Free(handle);
        return true;
    }

    [LibraryImport(NativeLibraries.Zstd, EntryPoint = "ZSTD_createDCtx")]
    private static partial nint Create();

    [LibraryImport(NativeLibraries.Zstd, EntryPoint = "ZSTD_freeDCtx")]
    private static partial nuint Free(nint context);

    [LibraryImport(NativeLibraries.Zstd, EntryPoint = "ZSTD_DCtx_reset")]
    private static partial nuint Reset(ZstdDecoder context, int directive);

    [LibraryImport(NativeLibraries.Zstd, EntryPoint = "ZSTD_DCtx_setParameter")]
    private static partial nuint SetParameter(ZstdDecoder context, int parameter, int value);

    [LibraryImport(NativeLibraries.Zstd, EntryPoint = "ZSTD_decompressStream")]
    private static partial nuint Decompress(ZstdDecoder context, Buffer* output, Buffer* input);

    [LibraryImport(NativeLibraries.Zstd, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint result);

    /// <summary><c>ZSTD_inBuffer</c> and <c>ZSTD_outBuffer</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Buffer
    {
        public byte* Start;
        public nuint Size;
        public nuint Position;
    }
}
