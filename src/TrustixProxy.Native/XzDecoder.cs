using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Decodes <c>.xz</c> with liblzma (<c>lzma/container.h</c>).</summary>
public sealed unsafe partial class XzDecoder : Decoder
{
    private const int Ok = 0, StreamEnd = 1, NoCheck = 2, UnsupportedCheck = 3, BufferError = 10;

    static XzDecoder() => NativeLibraries.Register();

    /// <summary>Creates a decoder.</summary>
    public XzDecoder()
    {
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)sizeof(LzmaStream)));
        RestartCore();
    }

    internal override int PaddingUnit => 4; // "Stream Padding" of the .xz file format, section 2.2

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        var stream = (LzmaStream*)handle;
        fixed (byte* input = source, output = destination)
        {
            stream->NextIn = input;
            stream->AvailableIn = (nuint)source.Length;
            stream->NextOut = output;
            stream->AvailableOut = (nuint)destination.Length;
            var result = Code(this, 0);
            consumed = source.Length - (int)stream->AvailableIn;
            written = destination.Length - (int)stream->AvailableOut;
            return result switch
            {
                Ok or NoCheck or UnsupportedCheck or BufferError => DecodeStatus.More,
                StreamEnd => DecodeStatus.End,
                _ => DecodeStatus.Malformed,
            };
        }
    }

    private protected override void RestartCore()
    {
        // The memory limit covers the dictionary and liblzma's own tables.
        if (StreamDecoder(this, MaxWindow + (4 << 20), 0) != Ok)
        {
            throw new InsufficientMemoryException("liblzma could not start a decoder.");
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        End(handle);
        NativeMemory.Free((void*)handle);
        return true;
    }

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_stream_decoder")]
    private static partial int StreamDecoder(XzDecoder stream, ulong memoryLimit, uint flags);

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_code")]
    private static partial int Code(XzDecoder stream, int action);

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_end")]
    private static partial void End(nint stream);

    /// <summary><c>lzma_stream</c> of <c>lzma/base.h</c>, ABI 5.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LzmaStream
    {
        public byte* NextIn;
        public nuint AvailableIn;
        public ulong TotalIn;
        public byte* NextOut;
        public nuint AvailableOut;
        public ulong TotalOut;
        public void* Allocator;
        public void* Internal;
        public fixed ulong Reserved[9]; // 4 pointers, 2 integers, 2 sizes and 2 enums, reserved by liblzma
    }
}
