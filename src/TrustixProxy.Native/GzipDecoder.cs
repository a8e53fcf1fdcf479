using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Decodes gzip with libz (<c>zlib.h</c>). Unlike the framework's decoder, refuses a file whose end is missing or wrong.</summary>
public sealed unsafe partial class GzipDecoder : Decoder
{
    private const int Ok = 0, StreamEnd = 1, NoProgress = -5, GzipOnly = 16 + 15;

    static GzipDecoder() => NativeLibraries.Register();

    /// <summary>Creates a decoder.</summary>
    public GzipDecoder()
    {
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)sizeof(ZStream)));
        if (Init(this, GzipOnly, "1", sizeof(ZStream)) != Ok)
        {
            throw new InsufficientMemoryException("libz could not start a decoder.");
        }
    }

    internal override int StartSize => 10; // a whole header

    internal override bool BeginsStream(ReadOnlySpan<byte> next) => next.Length >= StartSize && next is [0x1f, 0x8b, 8, ..];

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        var stream = (ZStream*)handle;
        fixed (byte* input = source, output = destination)
        {
            stream->NextIn = input;
            stream->AvailableIn = (uint)source.Length;
            stream->NextOut = output;
            stream->AvailableOut = (uint)destination.Length;
            var result = Inflate(this, 0);
            consumed = source.Length - (int)stream->AvailableIn;
            written = destination.Length - (int)stream->AvailableOut;
            return result switch { Ok or NoProgress => DecodeStatus.More, StreamEnd => DecodeStatus.End, _ => DecodeStatus.Malformed };
        }
    }

    private protected override void RestartCore() => _ = Reset(this);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        _ = End(handle);
        NativeMemory.Free((void*)handle);
        return true;
    }

    [LibraryImport(NativeLibraries.Zlib, EntryPoint = "inflateInit2_", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Init(GzipDecoder stream, int windowBits, string version, int size);

    [LibraryImport(NativeLibraries.Zlib, EntryPoint = "inflate")]
    private static partial int Inflate(GzipDecoder stream, int flush);

    [LibraryImport(NativeLibraries.Zlib, EntryPoint = "inflateReset")]
    private static partial int Reset(GzipDecoder stream);

    [LibraryImport(NativeLibraries.Zlib, EntryPoint = "inflateEnd")]
    private static partial int End(nint stream);

    /// <summary><c>z_stream</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ZStream
    {
        public byte* NextIn;
        public uint AvailableIn;
        public CULong TotalIn;
        public byte* NextOut;
        public uint AvailableOut;
        public CULong TotalOut;
        public byte* Message;
        public void* State;
        public void* Allocate;
        public void* Free;
        public void* Opaque;
        public int DataType;
        public CULong Checksum;
        public CULong Reserved;
    }
}
